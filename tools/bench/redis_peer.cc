#include "tools/bench/redis_peer.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "tools/bench/ledger_client.h"

namespace slipway::bench {
namespace {

constexpr char kReserve[] = R"(local amount=tonumber(ARGV[2])
for i=1,15 do local b=redis.call('HMGET','b'..i,'limit','posted','reserved')
 if tonumber(b[2] or 0)+tonumber(b[3] or 0)+amount>tonumber(b[1] or 1e15) then return 0 end end
for i=1,15 do redis.call('HINCRBY','b'..i,'reserved',amount) end
redis.call('HSET',ARGV[1],'state','held','held',amount,'owner','bench')
redis.call('XADD','journal','*','key',ARGV[1],'operation','reserve','amount',amount)
return 1)";

constexpr char kSettle[] = R"(local held=redis.call('HGET',ARGV[1],'held')
if redis.call('HGET',ARGV[1],'state')~='held' then return 0 end
for i=1,15 do redis.call('HINCRBY','b'..i,'reserved',-held)
 redis.call('HINCRBY','b'..i,'posted',ARGV[2]) end
redis.call('HSET',ARGV[1],'state','settled','cost',ARGV[2],'input',2345,'cached',1024,'output',678)
redis.call('XADD','journal','*','key',ARGV[1],'operation','settle','amount',ARGV[2])
return 1)";

// A connection that sends one command at a time and reads its short reply.
class RedisConnection final {
 public:
  absl::Status Open(const std::string& socket_path) {
    fd_ = base::UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof(address.sun_path)) {
      return absl::InvalidArgumentError("the socket's path is too long");
    }
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return absl::UnavailableError("cannot connect");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Ask(const std::vector<std::string>& words) {
    std::string text = absl::StrCat("*", words.size(), "\r\n");
    for (const std::string& word : words) {
      absl::StrAppend(&text, "$", word.size(), "\r\n", word, "\r\n");
    }
    if (send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
      return absl::UnavailableError("redis hung up");
    }
    std::string reply;
    // A bulk string has two lines; all others have one.
    while (!absl::EndsWith(reply, "\r\n") ||
           (reply[0] == '$' && reply.find("\r\n") + 2 == reply.size())) {
      std::array<char, 512> buffer;
      const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (size <= 0) return absl::UnavailableError("redis hung up");
      reply.append(buffer.data(), static_cast<size_t>(size));
    }
    if (reply[0] == '-') return absl::InternalError(reply);
    return reply;
  }

 private:
  base::UniqueFd fd_;
};

absl::StatusOr<std::string> LoadScript(RedisConnection& connection, const char* script) {
  ASSIGN_OR_RETURN(const std::string reply, connection.Ask({"SCRIPT", "LOAD", script}));
  const size_t begin = reply.find("\r\n") + 2;
  return reply.substr(begin, reply.size() - begin - 2);
}

absl::Status RunWorker(const std::string& socket_path, absl::Duration end,
                       std::vector<float>& latencies) {
  base::Clock& clock = base::RealClock();
  RedisConnection connection;
  RETURN_IF_ERROR(connection.Open(socket_path));
  ASSIGN_OR_RETURN(const std::string reserve, LoadScript(connection, kReserve));
  ASSIGN_OR_RETURN(const std::string settle, LoadScript(connection, kSettle));
  while (clock.Elapsed() < end) {
    const std::string key = NewKey();
    for (const bool ending : {false, true}) {
      const absl::Duration sent = clock.Elapsed();
      ASSIGN_OR_RETURN(const std::string reply,
                       connection.Ask({"EVALSHA", ending ? settle : reserve, "0", key,
                                       absl::StrCat(ending ? kSpentNanos : kHeldNanos)}));
      if (reply != ":1\r\n") return absl::InternalError("redis denied the load its money");
      latencies.push_back(static_cast<float>(absl::ToDoubleMicroseconds(clock.Elapsed() - sent)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisPeer>> RedisPeer::Start(const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  const std::string socket_path = absl::StrCat(directory, "/redis.sock");
  absl::StatusOr<base::Process> server = base::Process::Spawn(
      {.argv = {"redis-server", "--port", "0", "--unixsocket", socket_path, "--dir", directory,
                "--appendonly", "yes", "--appendfsync", "always", "--save", ""},
       .inherit_env = true,
       .directory = directory});
  if (!server.ok()) {
    return absl::UnavailableError("Redis is not installed: tools/install_bench_peers.sh");
  }
  std::unique_ptr<RedisPeer> peer(new RedisPeer(socket_path, *std::move(server)));
  const absl::Duration end = base::RealClock().Elapsed() + absl::Seconds(30);
  while (base::RealClock().Elapsed() < end) {
    RedisConnection connection;
    if (connection.Open(socket_path).ok() && connection.Ask({"PING"}).ok()) return peer;
    if (peer->server_.Wait(absl::Milliseconds(50)).ok()) break;
  }
  return absl::UnavailableError("redis-server does not start: tools/install_bench_peers.sh");
}

RedisPeer::~RedisPeer() {
  server_.Signal(SIGTERM);
  server_.Wait(absl::Seconds(30)).IgnoreError();
}

absl::StatusOr<Measurement> RedisPeer::RunPairs(int in_flight, absl::Duration length) {
  const absl::Duration begin = base::RealClock().Elapsed();
  std::vector<std::vector<float>> latencies(static_cast<size_t>(in_flight));
  base::Mutex mutex;
  absl::Status error;
  std::vector<std::thread> threads;
  for (std::vector<float>& own : latencies) {
    threads.emplace_back([&, end = begin + length] {
      const absl::Status status = RunWorker(socket_, end, own);
      base::MutexLock lock(mutex);
      error.Update(status);
    });
  }
  for (std::thread& thread : threads) thread.join();
  RETURN_IF_ERROR(error);
  Measurement total;
  for (const std::vector<float>& own : latencies) {
    total.operations += static_cast<int64_t>(own.size());
    total.latencies_us.insert(total.latencies_us.end(), own.begin(), own.end());
  }
  total.took = base::RealClock().Elapsed() - begin;
  return total;
}

}  // namespace slipway::bench
