#include "tools/bench/postgres_peer.h"

#include <signal.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kSetupTimeout = absl::Minutes(2);

// Fifteen buckets, and the rows that the ledger writes, too: the reservation with its legs, the
// usage and a journal. Legs are an array, which is the fastest way that PostgreSQL has.
constexpr char kSchema[] = R"(
CREATE TABLE bucket(id int PRIMARY KEY, spend_limit bigint NOT NULL, posted bigint NOT NULL,
  reserved bigint NOT NULL) WITH (fillfactor=10);
INSERT INTO bucket SELECT i, 1000000000000000000, 0, 0 FROM generate_series(1,15) i;
CREATE TABLE reservation(key bigint PRIMARY KEY, state smallint NOT NULL, held bigint NOT NULL,
  legs int[] NOT NULL, created timestamptz NOT NULL DEFAULT now()) WITH (fillfactor=80);
CREATE TABLE usage(key bigint PRIMARY KEY, cost bigint NOT NULL, input int NOT NULL,
  cached int NOT NULL, output int NOT NULL, model text NOT NULL);
CREATE TABLE journal(sequence bigserial PRIMARY KEY, key bigint NOT NULL, operation text NOT NULL,
  amount bigint NOT NULL);
CREATE FUNCTION reserve(k bigint, amount bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE fits int;
BEGIN
  PERFORM 1 FROM bucket WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE;
  SELECT count(*) INTO fits FROM bucket
    WHERE id BETWEEN 1 AND 15 AND posted+reserved+amount<=spend_limit;
  IF fits<15 THEN RETURN false; END IF;
  UPDATE bucket SET reserved=reserved+amount WHERE id BETWEEN 1 AND 15;
  INSERT INTO reservation VALUES(k,1,amount,ARRAY[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]);
  INSERT INTO journal(key,operation,amount) VALUES(k,'reserve',amount);
  RETURN true;
END $$;
CREATE FUNCTION settle(k bigint, cost bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE amount bigint;
BEGIN
  PERFORM 1 FROM bucket WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE;
  UPDATE reservation SET state=3 WHERE key=k AND state=1 RETURNING held INTO amount;
  IF amount IS NULL THEN RETURN false; END IF;
  UPDATE bucket SET reserved=reserved-amount,posted=posted+cost WHERE id BETWEEN 1 AND 15;
  INSERT INTO usage VALUES(k,cost,2345,1024,678,'bench-large');
  INSERT INTO journal(key,operation,amount) VALUES(k,'settle',cost);
  RETURN true;
END $$;
)";

constexpr char kKey[] = "\\set k random(1, 9000000000000000000)\n";

constexpr char kRowLocks[] = R"(BEGIN;
SELECT id,spend_limit-posted-reserved FROM bucket WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE;
UPDATE bucket SET reserved=reserved+2000000 WHERE id BETWEEN 1 AND 15;
INSERT INTO reservation VALUES(:k,1,2000000,ARRAY[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]);
INSERT INTO journal(key,operation,amount) VALUES(:k,'reserve',2000000);
COMMIT;
BEGIN;
SELECT id FROM bucket WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE;
UPDATE reservation SET state=3 WHERE key=:k AND state=1;
UPDATE bucket SET reserved=reserved-2000000,posted=posted+1234567 WHERE id BETWEEN 1 AND 15;
INSERT INTO usage VALUES(:k,1234567,2345,1024,678,'bench-large');
INSERT INTO journal(key,operation,amount) VALUES(:k,'settle',1234567);
COMMIT;
)";

// One statement an operation; the locks are taken in order before anything is decided.
constexpr char kCte[] = R"(WITH locked AS (SELECT id,spend_limit-posted-reserved AS room FROM bucket
  WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE),
 fits AS (SELECT min(room)>=2000000 AS ok FROM locked),
 held AS (UPDATE bucket SET reserved=reserved+2000000 FROM fits
  WHERE fits.ok AND bucket.id BETWEEN 1 AND 15 RETURNING bucket.id),
 kept AS (INSERT INTO reservation SELECT :k,1,2000000,array_agg(id) FROM held HAVING count(*)=15)
 INSERT INTO journal(key,operation,amount) SELECT :k,'reserve',2000000 FROM fits WHERE ok;
WITH locked AS (SELECT id FROM bucket WHERE id BETWEEN 1 AND 15 ORDER BY id FOR UPDATE),
 all_locked AS (SELECT count(*) AS n FROM locked),
 ended AS (UPDATE reservation SET state=3 FROM all_locked WHERE key=:k AND state=1 AND n=15
  RETURNING held),
 posted AS (UPDATE bucket SET reserved=reserved-ended.held,posted=posted+1234567 FROM ended
  WHERE bucket.id BETWEEN 1 AND 15),
 used AS (INSERT INTO usage SELECT :k,1234567,2345,1024,678,'bench-large' FROM ended)
 INSERT INTO journal(key,operation,amount) SELECT :k,'settle',1234567 FROM ended;
)";

constexpr char kFunction[] = "SELECT reserve(:k,2000000);\nSELECT settle(:k,1234567);\n";

std::string FindBinaries() {
  for (const char* version : {"15", "16", "17", "14"}) {
    const std::string path = absl::StrCat("/usr/lib/postgresql/", version, "/bin/");
    if (access(absl::StrCat(path, "postgres").c_str(), X_OK) == 0 &&
        access(absl::StrCat(path, "pgbench").c_str(), X_OK) == 0) {
      return path;
    }
  }
  return "";
}

// The value of a line "name = 12.3 unit" of pgbench's report.
double ValueOf(const std::string& report, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(report, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, " = ");
    if (parts.size() != 2 || parts[0] != name) continue;
    double value = 0;
    const std::vector<absl::string_view> words = absl::StrSplit(parts[1], ' ');
    if (absl::SimpleAtod(words[0], &value)) return value;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::string> PostgresPeer::Run(const std::vector<std::string>& argv,
                                              absl::Duration timeout) {
  std::vector<std::string> command;
  if (getuid() == 0)
    command = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
  command.insert(command.end(), argv.begin(), argv.end());
  ASSIGN_OR_RETURN(base::CommandResult result,
                   base::RunCommand({.argv = command,
                                     .env = {{"LC_ALL", "C"}, {"PGHOST", directory_}},
                                     .inherit_env = true,
                                     .directory = directory_},
                                    timeout));
  if (!result.exit.ok()) {
    return absl::UnavailableError(absl::StrCat(argv[0], ": ", result.err.substr(0, 500)));
  }
  return result.out;
}

absl::StatusOr<std::unique_ptr<PostgresPeer>> PostgresPeer::Start(const std::string& directory) {
  const std::string binaries = FindBinaries();
  if (binaries.empty()) {
    return absl::UnavailableError("PostgreSQL is not installed: tools/install_bench_peers.sh");
  }
  std::unique_ptr<PostgresPeer> peer(new PostgresPeer(directory, binaries));
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(directory, "/schema.sql"), kSchema, 0644));
  const char* const scripts[] = {kRowLocks, kCte, kFunction};
  for (int i = 0; i < 3; ++i) {
    RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(directory, "/", kScripts[i], ".sql"),
                                          absl::StrCat(kKey, scripts[i]), 0644));
  }
  if (getuid() == 0) {
    ASSIGN_OR_RETURN(
        const base::CommandResult owned,
        base::RunCommand({.argv = {"chown", "-R", "postgres", directory}, .inherit_env = true},
                         kSetupTimeout));
    if (!owned.exit.ok()) return absl::UnavailableError("there is no user 'postgres'");
  }
  const std::string data = absl::StrCat(directory, "/data");
  RETURN_IF_ERROR(
      peer->Run({absl::StrCat(binaries, "initdb"), "-D", data, "-A", "trust", "-U", "bench"},
                kSetupTimeout)
          .status());
  std::vector<std::string> command;
  if (getuid() == 0)
    command = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
  for (const std::string& word : std::vector<std::string>{
           absl::StrCat(binaries, "postgres"), "-D", data, "-k", directory, "-c",
           "listen_addresses=", "-c", "max_connections=300", "-c", "shared_buffers=512MB", "-c",
           "synchronous_commit=on", "-c", "fsync=on", "-c", "max_wal_size=4GB"}) {
    command.push_back(word);
  }
  ASSIGN_OR_RETURN(base::Process server,
                   base::Process::Spawn({.argv = command, .inherit_env = true}));
  peer->server_ = std::make_unique<base::Process>(std::move(server));
  const std::string psql = absl::StrCat(binaries, "psql");
  absl::Status ready = absl::UnavailableError("not started");
  const absl::Duration end = base::RealClock().Elapsed() + absl::Minutes(1);
  while (!ready.ok() && base::RealClock().Elapsed() < end) {
    ready =
        peer->Run({absl::StrCat(binaries, "pg_isready"), "-U", "bench", "-t", "5"}, kSetupTimeout)
            .status();
  }
  RETURN_IF_ERROR(ready);
  RETURN_IF_ERROR(peer->Run({psql, "-U", "bench", "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1",
                             "-f", absl::StrCat(directory, "/schema.sql")},
                            kSetupTimeout)
                      .status());
  return peer;
}

PostgresPeer::~PostgresPeer() {
  if (server_ == nullptr) return;
  server_->Signal(SIGINT);  // Its "fast" shutdown.
  server_->Wait(absl::Seconds(30)).IgnoreError();
}

absl::StatusOr<Measurement> PostgresPeer::RunPairs(const std::string& script, int in_flight,
                                                   absl::Duration length) {
  const auto seconds = std::max<int64_t>(1, absl::ToInt64Seconds(length));
  ASSIGN_OR_RETURN(const std::string report,
                   Run({absl::StrCat(binaries_, "pgbench"), "-U", "bench", "-n", "-M", "prepared",
                        "-c", absl::StrCat(in_flight), "-j", "4", "-T", absl::StrCat(seconds), "-f",
                        absl::StrCat(directory_, "/", script, ".sql"), "postgres"},
                       length + kSetupTimeout));
  const double pairs = ValueOf(report, "tps");
  const double milliseconds = ValueOf(report, "latency average");
  if (pairs <= 0) return absl::UnavailableError(absl::StrCat("pgbench: ", report));
  Measurement measured;
  measured.operations = static_cast<int64_t>(2 * pairs * static_cast<double>(seconds));
  measured.took = absl::Seconds(seconds);
  measured.latencies_us = {static_cast<float>(milliseconds * 500)};  // The mean, of one of two.
  return measured;
}

}  // namespace slipway::bench
