#include "lib/testkit/tls_front.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/mutex.h"

namespace slipway::testkit {
namespace {

using Tls = std::unique_ptr<SSL, decltype(&SSL_free)>;

int ConnectTo(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

bool SendAll(int fd, const char* bytes, int count) {
  return send(fd, bytes, static_cast<size_t>(count), MSG_NOSIGNAL) == count;
}

// Until one side ends.
void Relay(SSL& tls, int client, int target) {
  char buffer[16 << 10];
  pollfd sides[] = {{client, POLLIN, 0}, {target, POLLIN, 0}};
  while (true) {
    if (SSL_pending(&tls) == 0 && poll(sides, 2, -1) < 0) return;
    if (SSL_pending(&tls) > 0 || sides[0].revents != 0) {
      const int count = SSL_read(&tls, buffer, sizeof(buffer));
      if (count <= 0 || !SendAll(target, buffer, count)) return;
    }
    if (sides[1].revents != 0) {
      const ssize_t count = read(target, buffer, sizeof(buffer));
      if (count <= 0) return;
      if (SSL_write(&tls, buffer, static_cast<int>(count)) != count) return;
    }
    sides[0].revents = sides[1].revents = 0;
  }
}

}  // namespace

class TlsFront::State final {
 public:
  explicit State(const Options& options) : options_(options) {
    signal(SIGPIPE, SIG_IGN);  // The library writes without MSG_NOSIGNAL.
    EXPECT_TRUE(SSL_CTX_use_certificate_chain_file(context_,
                                                   options.certificate.certificate.c_str()) == 1 &&
                SSL_CTX_use_PrivateKey_file(context_, options.certificate.key.c_str(),
                                            SSL_FILETYPE_PEM) == 1)
        << "the server's certificate";
    if (!options.client_ca.empty()) {
      EXPECT_TRUE(SSL_CTX_load_verify_locations(context_, options.client_ca.c_str(), nullptr) == 1)
          << "the clients' authority";
      SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_TRUE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                listen(listener_, 64) == 0 &&
                getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0)
        << "a port of loopback";
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }

  ~State() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    Cut();
    for (std::thread& connection : connections_) connection.join();
    close(listener_);
    SSL_CTX_free(context_);
  }

  int port() const { return port_; }

  void Cut() {
    base::MutexLock lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }

 private:
  void Accept() {
    while (true) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      base::MutexLock lock(mutex_);
      open_.insert(client);
      connections_.emplace_back([this, client] { Serve(client); });
    }
  }

  void Serve(int client) {
    const Tls tls(SSL_new(context_), SSL_free);
    SSL_set_fd(tls.get(), client);
    if (SSL_accept(tls.get()) == 1) {
      const int target = ConnectTo(options_.target);
      if (target >= 0) {
        Relay(*tls, client, target);
        close(target);
      }
    } else {
      // The client gets to read why: closed at once, what it still sends would destroy that.
      shutdown(client, SHUT_WR);
      char rest[512];
      while (read(client, rest, sizeof(rest)) > 0) {
      }
    }
    base::MutexLock lock(mutex_);
    open_.erase(client);
    close(client);
  }

  const Options options_;
  SSL_CTX* const context_ = SSL_CTX_new(TLS_server_method());
  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
  base::Mutex mutex_;
  std::set<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> connections_;  // Of the acceptor, until it has ended.
  std::thread acceptor_;
};

TlsFront::TlsFront(const Options& options) : state_(std::make_unique<State>(options)) {}
TlsFront::~TlsFront() = default;
int TlsFront::port() const { return state_->port(); }
void TlsFront::Cut() { state_->Cut(); }

}  // namespace slipway::testkit
