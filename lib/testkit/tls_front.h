#pragma once

#include <memory>
#include <string>

#include "lib/testkit/certificates.h"

namespace slipway::testkit {

// TLS on a port of loopback, in front of a unix socket that speaks without: a connection for each.
class TlsFront final {
 public:
  struct Options {
    CertificateFiles certificate;
    std::string client_ca;  // Clients need a certificate of it; empty: none.
    std::string target;     // Path of the socket.
  };

  explicit TlsFront(const Options& options);
  ~TlsFront();

  int port() const;

  // Breaks every connection, as a network does: without a word.
  void Cut();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::testkit
