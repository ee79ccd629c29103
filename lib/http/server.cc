#include "lib/http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/http/address.h"
#include "lib/http/connection.h"
#include "lib/http/io_loop.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

// How long accepting rests when the process has no descriptor left.
constexpr std::chrono::milliseconds kAcceptRest(50);

// Tells a client over the limit why, as far as that needs no waiting.
void TurnAway(Connection::Socket& socket) {
  const std::string body = ErrorBody("CONNECTIONS_EXHAUSTED", "the server has no connection left");
  const std::string reply = ResponseHead(503, {{"Content-Type", "application/json"},
                                               {"Content-Length", std::to_string(body.size())},
                                               {"Retry-After", "1"},
                                               {"Connection", "close"}}) +
                            body;
  (void)!send(socket.native_handle(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

class Server::State final {
 public:
  State(Options options, Router router, std::string unix_path, int family, base::UniqueFd fd)
      : options_(std::move(options)), router_(std::move(router)), unix_path_(std::move(unix_path)) {
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      loops_.push_back(std::make_shared<IoLoop>());
    }
    port_ = LocalPort(fd.get());
    acceptor_.emplace(loops_.front()->context,
                      asio::generic::stream_protocol(family, unix_path_.empty() ? IPPROTO_TCP : 0),
                      fd.get());
    fd.Release();
    rest_.emplace(loops_.front()->context);
    asio::co_spawn(
        loops_.front()->context, [this] { return Accept(); }, asio::detached);
  }

  ~State() { Stop(); }

  int port() const { return port_; }

  int connections() const {
    base::MutexLock lock(mutex_);
    return static_cast<int>(connections_.size());
  }

  void Stop() {
    {
      base::MutexLock lock(mutex_);
      if (std::exchange(stopping_, true)) return;
    }
    asio::post(loops_.front()->context, [this] {
      error_code ignored;
      acceptor_->close(ignored);
      rest_->cancel();
    });
    {
      base::MutexLock lock(mutex_);
      while (accepting_) changed_.Wait(mutex_);
    }
    if (!unix_path_.empty()) unlink(unix_path_.c_str());
    for (const auto& connection : Open()) connection->Drain();
    AwaitDrained();
    for (const auto& connection : Open()) connection->Abort();
    for (const auto& loop : loops_) loop->Join();
  }

 private:
  asio::awaitable<void> Accept() {
    for (size_t next = 0; acceptor_->is_open(); ++next) {
      const std::shared_ptr<IoLoop>& loop = loops_[next % loops_.size()];
      Connection::Socket socket(loop->context);
      error_code error;
      co_await acceptor_->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        Admit(loop, std::move(socket));
        continue;
      }
      if (!acceptor_->is_open()) break;
      rest_->expires_after(kAcceptRest);
      co_await rest_->async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    base::MutexLock lock(mutex_);
    accepting_ = false;
    changed_.NotifyAll();
  }

  void Admit(const std::shared_ptr<IoLoop>& loop, Connection::Socket socket) {
    if (connections() >= options_.limits.connections) return TurnAway(socket);
    if (unix_path_.empty()) {
      const int on = 1;
      setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    const auto connection = std::make_shared<Connection>(
        Connection::Options{.loop = loop,
                            .limits = options_.limits,
                            .router = router_,
                            .closed = [this](Connection& closed) { Forget(closed); }},
        std::move(socket));
    {
      base::MutexLock lock(mutex_);
      connections_[connection.get()] = connection;
    }
    connection->Start();
  }

  void Forget(Connection& connection) {
    base::MutexLock lock(mutex_);
    connections_.erase(&connection);
    changed_.NotifyAll();
  }

  std::vector<std::shared_ptr<Connection>> Open() {
    base::MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Connection>> open;
    for (const auto& [key, weak] : connections_) {
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
    }
    return open;
  }

  void AwaitDrained() {
    const auto deadline =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(options_.drain_timeout);
    base::MutexLock lock(mutex_);
    while (!connections_.empty()) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left.count() <= 0) return;
      changed_.WaitFor(mutex_, absl::FromChrono(left));
    }
  }

  const Options options_;
  const Router router_;
  const std::string unix_path_;
  int port_ = 0;
  std::vector<std::shared_ptr<IoLoop>> loops_;
  std::optional<Acceptor> acceptor_;
  std::optional<asio::steady_timer> rest_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool accepting_ ABSL_GUARDED_BY(mutex_) = true;
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options, Router router) {
  ASSIGN_OR_RETURN(const Address address, Address::Parse(options.address));
  ASSIGN_OR_RETURN(base::UniqueFd fd, Listen(address, options.unix_mode));
  return std::unique_ptr<Server>(new Server(std::make_unique<State>(
      std::move(options), std::move(router), address.unix_path, address.family(), std::move(fd))));
}

int Server::port() const { return state_->port(); }
int Server::connections() const { return state_->connections(); }
void Server::Stop() { state_->Stop(); }

}  // namespace slipway::http
