#include "tools/bench/model_peers.h"

#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kPeerStopPatience = absl::Seconds(20);

constexpr char kNginxConfig[] = R"(daemon off;
$USER
pid $DIR/nginx.pid;
error_log $DIR/error.log;
worker_processes 1;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy; fastcgi_temp_path $DIR/fastcgi;
  uwsgi_temp_path $DIR/uwsgi; scgi_temp_path $DIR/scgi;
  client_body_buffer_size 64k;
  upstream model { server $UPSTREAM; keepalive 64; }
  server {
    listen 127.0.0.1:$PORT backlog=4096;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }
  }
}
)";

constexpr char kLiteLlmConfig[] = R"(model_list:
  - model_name: builder
    litellm_params: {model: openai/bench-model, api_base: "http://$UPSTREAM$LOAD/v1", api_key: none}
  - model_name: long
    litellm_params: {model: openai/bench-model, api_base: "http://$UPSTREAM$LONG/v1", api_key: none}
litellm_settings: {telemetry: false, num_retries: 0, request_timeout: 300}
)";

}  // namespace

absl::StatusOr<std::unique_ptr<HttpProcess>> HttpProcess::Start(base::Process::Options options,
                                                                const std::string& url,
                                                                absl::Duration patience,
                                                                absl::string_view missing) {
  absl::StatusOr<base::Process> process = base::Process::Spawn(options);
  if (!process.ok()) return absl::UnavailableError(missing);
  std::unique_ptr<HttpProcess> started(new HttpProcess(*std::move(process)));
  http::Client client;
  const absl::Duration end = base::RealClock().Elapsed() + patience;
  while (base::RealClock().Elapsed() < end) {
    if (client.Fetch({.url = url, .total_timeout = absl::Seconds(5)}).result.http_status > 0) {
      return started;
    }
    if (started->process_.Wait(absl::Milliseconds(50)).ok()) break;
  }
  return absl::UnavailableError(absl::StrCat(options.argv[0], " does not start"));
}

HttpProcess::~HttpProcess() {
  process_.Signal(SIGTERM);
  process_.Wait(kPeerStopPatience).IgnoreError();
}

absl::StatusOr<int> FreePort() {
  const base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (fd.get() < 0 || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return base::ErrnoStatus(errno, "no free port");
  }
  return ntohs(address.sin_port);
}

SessionUse UseOfSession(pid_t session) {
  SessionUse use;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return use;
  while (const dirent* entry = readdir(processes)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::string stat = base::ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    // After the name: state, parent, group, session, ..; threads are the 18th, pages the 22nd.
    const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
    int its_session = 0;
    int threads = 0;
    int64_t pages = 0;
    if (fields.size() < 22 || !absl::SimpleAtoi(fields[3], &its_session) ||
        !absl::SimpleAtoi(fields[17], &threads) || !absl::SimpleAtoi(fields[21], &pages) ||
        its_session != session) {
      continue;
    }
    use.threads += threads;
    use.resident_bytes += pages * sysconf(_SC_PAGESIZE);
  }
  closedir(processes);
  return use;
}

absl::StatusOr<std::unique_ptr<HttpProcess>> StartNginx(const std::string& directory,
                                                        const std::string& upstream, int port) {
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  const std::string config = absl::StrCat(directory, "/nginx.conf");
  RETURN_IF_ERROR(base::WriteFileAtomic(
      config, absl::StrReplaceAll(kNginxConfig, {{"$USER", geteuid() == 0 ? "user root;" : ""},
                                                 {"$DIR", directory},
                                                 {"$UPSTREAM", upstream},
                                                 {"$PORT", absl::StrCat(port)}})));
  return HttpProcess::Start({.argv = {"nginx", "-c", config, "-e", directory + "/error.log"},
                             .env = {{"PATH", "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"}},
                             .directory = directory},
                            absl::StrCat("http://127.0.0.1:", port, "/"), absl::Seconds(10),
                            "nginx is not installed: tools/install_bench_peers.sh");
}

absl::StatusOr<std::unique_ptr<HttpProcess>> StartLiteLlm(const LiteLlmOptions& options) {
  const std::string program = absl::StrCat(options.environment, "/bin/litellm");
  if (access(program.c_str(), X_OK) != 0) {
    return absl::UnavailableError(
        "LiteLLM is not installed: tools/install_bench_peers.sh, or say --litellm DIRECTORY");
  }
  RETURN_IF_ERROR(base::MakeDirectories(options.directory));
  const std::string config = absl::StrCat(options.directory, "/litellm.yaml");
  RETURN_IF_ERROR(base::WriteFileAtomic(
      config, absl::StrReplaceAll(kLiteLlmConfig, {{"$UPSTREAM", options.upstream},
                                                   {"$LOAD", kLoadShape},
                                                   {"$LONG", kLongShape}})));
  const std::string port = absl::StrCat(options.port);
  return HttpProcess::Start(
      {.argv = {program, "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers",
                "1"},
       .env = {{"PATH", absl::StrCat(options.environment, "/bin:/usr/bin:/bin")},
               {"HOME", options.directory},
               {"LITELLM_MASTER_KEY", options.key},
               {"LITELLM_MODE", "PRODUCTION"},
               {"LITELLM_LOG", "ERROR"},
               {"LITELLM_LOCAL_MODEL_COST_MAP", "True"}},
       .directory = options.directory},
      absl::StrCat("http://127.0.0.1:", port, "/health/liveliness"), absl::Seconds(120),
      "LiteLLM cannot be started");
}

std::string DefaultLiteLlmEnvironment() {
  const char* const chosen = std::getenv("SLIPWAY_BENCH_LITELLM");
  if (chosen != nullptr) return chosen;
  const char* const home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/root" : home, "/.cache/slipway-bench/litellm");
}

}  // namespace slipway::bench
