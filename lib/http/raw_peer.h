#pragma once

#include <sys/socket.h>
#include <sys/time.h>

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/http/address.h"

namespace slipway::http {

// A plain socket to a server, to say what no proper client would.
class RawPeer final {
 public:
  explicit RawPeer(absl::string_view address, int receive_buffer = 0) {
    const Address to = Address::Parse(address).value();
    fd_ = base::UniqueFd(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const timeval patience = {.tv_sec = 20};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0;
  }

  bool connected() const { return connected_; }
  bool Send(absl::string_view bytes) {
    return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Reads until `end` was seen, or to the end of the connection.
  std::string ReadUntil(absl::string_view end) {
    while (read_.find(end.data(), 0, end.size()) == std::string::npos && ReadMore()) {
    }
    const size_t found = read_.find(end.data(), 0, end.size());
    const size_t size = found == std::string::npos ? read_.size() : found + end.size();
    const std::string result = read_.substr(0, size);
    read_.erase(0, size);
    return result;
  }
  std::string ReadAll() {
    while (ReadMore()) {
    }
    return std::exchange(read_, "");
  }
  void Close() { fd_.Close(); }

 private:
  bool ReadMore() {
    char bytes[65'536];
    const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (size > 0) read_.append(bytes, static_cast<size_t>(size));
    return size > 0;
  }

  base::UniqueFd fd_;
  bool connected_ = false;
  std::string read_;
};

// Something that another thread makes true.
class Event final {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  // Whether it happened before the test's patience ended.
  bool Wait() { return WaitFor(absl::Seconds(20)); }
  bool WaitFor(absl::Duration patience) {
    base::MutexLock lock(mutex_);
    while (!set_) {
      if (!changed_.WaitFor(mutex_, patience)) return set_;
    }
    return true;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool set_ = false;
};

}  // namespace slipway::http
