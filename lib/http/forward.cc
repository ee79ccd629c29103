#include "lib/http/forward.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

// Before Asio: Boost 1.74 uses std::exchange without including <utility>.
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/http/address.h"
#include "lib/http/io_loop.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;
using ForwardAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr size_t kCopyBytes = 64u << 10;
// How long accepting rests when the process has no descriptor left.
constexpr std::chrono::milliseconds kForwardAcceptRest(50);

asio::generic::stream_protocol ProtocolOf(const Address& address) {
  return {address.family(), address.unix_path.empty() ? IPPROTO_TCP : 0};
}

// One connection and its copy. Both directions hold it; the last one to end reports it.
class Pair final : public std::enable_shared_from_this<Pair> {
 public:
  Pair(asio::io_context& context, Socket near, absl::Duration idle_timeout,
       const std::function<void()>& on_bytes, std::function<void(Pair&)> closed)
      : context_(context),
        near_(std::move(near)),
        far_(context),
        idle_(context),
        idle_timeout_(absl::ToChronoNanoseconds(idle_timeout)),
        on_bytes_(on_bytes),
        closed_(std::move(closed)) {}

  const Forward::Carried& carried() const { return carried_; }

  void Start(const Address& target) {
    asio::co_spawn(
        context_, [self = shared_from_this(), target] { return self->Connect(target); },
        asio::detached);
  }

  void Break() {
    error_code ignored;
    near_.close(ignored);
    far_.close(ignored);
    idle_.cancel();
  }

 private:
  asio::awaitable<void> Connect(Address target) {
    error_code error;
    far_.open(ProtocolOf(target), error);
    if (!error) {
      const asio::generic::stream_protocol::endpoint endpoint(&target.storage, target.size);
      co_await far_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    }
    if (error || !near_.is_open()) {
      Break();
      closed_(*this);
      co_return;
    }
    carried_.connected = true;
    open_directions_ = 2;
    Touch();
    Spawn(near_, far_, carried_.bytes_to_target);
    Spawn(far_, near_, carried_.bytes_from_target);
  }

  void Spawn(Socket& from, Socket& to, uint64_t& bytes) {
    asio::co_spawn(
        context_,
        [self = shared_from_this(), &from, &to, &bytes] { return self->Copy(from, to, bytes); },
        asio::detached);
  }

  asio::awaitable<void> Copy(Socket& from, Socket& to, uint64_t& bytes) {
    const std::shared_ptr<Pair> self = shared_from_this();
    std::vector<char> buffer(kCopyBytes);
    error_code error;
    while (!error) {
      const size_t size = co_await from.async_read_some(
          asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      Touch();
      bytes += co_await asio::async_write(to, asio::buffer(buffer.data(), size),
                                          asio::redirect_error(asio::use_awaitable, error));
      Touch();
      if (on_bytes_) on_bytes_();
    }
    if (error == asio::error::eof) {
      to.shutdown(Socket::shutdown_send, error);
    } else {
      Break();
    }
    if (--open_directions_ > 0) co_return;
    Break();
    closed_(*this);
  }

  void Touch() {
    idle_.expires_after(idle_timeout_);
    idle_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr) return;
      if (self->idle_.expiry() <= std::chrono::steady_clock::now()) self->Break();
    });
  }

  asio::io_context& context_;
  Socket near_;
  Socket far_;
  asio::steady_timer idle_;
  const std::chrono::nanoseconds idle_timeout_;
  const std::function<void()>& on_bytes_;  // Of the forwarder, which joins before it goes.
  const std::function<void(Pair&)> closed_;
  Forward::Carried carried_;
  int open_directions_ = 0;
};

}  // namespace

class Forward::State final {
 public:
  State(Options options, const Address& listen, const Address& target, base::UniqueFd fd)
      : options_(std::move(options)),
        unix_path_(listen.unix_path),
        target_(target),
        port_(LocalPort(fd.get())),
        acceptor_(loop_.context, ProtocolOf(listen), fd.get()),
        rest_(loop_.context) {
    fd.Release();
    asio::co_spawn(
        loop_.context, [this] { return Accept(); }, asio::detached);
  }

  ~State() {
    asio::post(loop_.context, [this] {
      error_code ignored;
      acceptor_.close(ignored);
      rest_.cancel();
      for (const std::shared_ptr<Pair>& pair : Open()) pair->Break();
    });
    loop_.Join();
    if (!unix_path_.empty()) unlink(unix_path_.c_str());
  }

  int port() const { return port_; }

  int connections() const {
    base::MutexLock lock(mutex_);
    return static_cast<int>(pairs_.size());
  }

 private:
  asio::awaitable<void> Accept() {
    while (acceptor_.is_open()) {
      Socket socket(loop_.context);
      error_code error;
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (!acceptor_.is_open()) break;
      if (!error) {
        if (connections() < options_.connections) Admit(std::move(socket));
        continue;
      }
      rest_.expires_after(kForwardAcceptRest);
      co_await rest_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }

  void Admit(Socket socket) {
    const auto pair =
        std::make_shared<Pair>(loop_.context, std::move(socket), options_.idle_timeout,
                               options_.on_bytes, [this](Pair& closed) { Forget(closed); });
    {
      base::MutexLock lock(mutex_);
      pairs_.insert(pair);
    }
    pair->Start(target_);
  }

  void Forget(Pair& pair) {
    {
      base::MutexLock lock(mutex_);
      pairs_.erase(pair.shared_from_this());
    }
    if (options_.on_closed) options_.on_closed(pair.carried());
  }

  std::set<std::shared_ptr<Pair>> Open() const {
    base::MutexLock lock(mutex_);
    return pairs_;
  }

  const Options options_;
  const std::string unix_path_;
  const Address target_;
  const int port_;
  mutable base::Mutex mutex_;
  std::set<std::shared_ptr<Pair>> pairs_ ABSL_GUARDED_BY(mutex_);
  IoLoop loop_;
  ForwardAcceptor acceptor_;
  asio::steady_timer rest_;
};

Forward::Forward(std::unique_ptr<State> state) : state_(std::move(state)) {}
Forward::~Forward() = default;

absl::StatusOr<std::unique_ptr<Forward>> Forward::Start(Options options) {
  ASSIGN_OR_RETURN(const Address listen, Address::Parse(options.listen));
  ASSIGN_OR_RETURN(const Address target, Address::Parse(options.target));
  ASSIGN_OR_RETURN(base::UniqueFd fd, Listen(listen, options.unix_mode));
  return std::unique_ptr<Forward>(
      new Forward(std::make_unique<State>(std::move(options), listen, target, std::move(fd))));
}

int Forward::port() const { return state_->port(); }
int Forward::connections() const { return state_->connections(); }

}  // namespace slipway::http
