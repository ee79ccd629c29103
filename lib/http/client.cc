#include "lib/http/client.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/http/transfer.h"

namespace slipway::http {
namespace {

// Connections kept open for reuse.
constexpr long kIdleConnectionsMax = 64;
constexpr int kPollMillisecondsMax = 60'000;
// Sockets that are served before commands and deadlines are looked at again.
constexpr int kEventsMax = 64;
// While something happens, deadlines are looked at no more often: all of them, each time.
constexpr std::chrono::milliseconds kDeadlineStep(10);

absl::Status Cancelled() {
  return base::Error(absl::StatusCode::kCancelled, "REQUEST_CANCELLED",
                     "the request was cancelled");
}

absl::Status Stopped() {
  return base::Error(absl::StatusCode::kCancelled, "CLIENT_STOPPED", "the client is shutting down");
}

}  // namespace

// The thread. Commands from other threads are queued and the poll is woken. Curl is told which
// sockets have something: asked to look for itself it would visit all transfers each time.
//
// Whatever curl has belongs to the driver: this thread, except while it waits for sockets; then one
// that starts a transfer may drive.
class Client::Loop final {
 public:
  enum class Action { kStart, kCancel, kDrop, kResume };

  Loop() {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_ALL);
    (void)initialized;
    multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    // A process that has no descriptors left for its client can do nothing.
    if (epoll_ < 0 || wake_ < 0) std::abort();
    epoll_event event = {.events = EPOLLIN, .data = {.fd = wake_}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
    thread_ = std::thread([this] { Run(); });
  }

  ~Loop() {
    curl_multi_cleanup(multi_);
    close(wake_);
    close(epoll_);
  }

  // Joins: no callback runs afterwards.
  void Stop() {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
    }
    Wake();
    thread_.join();
  }

  // Starts on this thread unless somebody drives.
  bool TryStartHere(const std::shared_ptr<Transfer>& transfer) {
    if (!TryDrive()) return false;
    Add(transfer);
    Act(CURL_SOCKET_TIMEOUT, 0);
    Tell();  // A server that is quick may have answered already.
    look_at_ = std::min(look_at_, transfer->next_deadline());
    const bool wake = NextLook() < resting_until_;
    StopDriving();
    if (wake) Wake();
    return true;
  }

  void Post(Action action, std::shared_ptr<Transfer> transfer) {
    {
      base::MutexLock lock(mutex_);
      if (!stopped_) {
        commands_.emplace_back(action, std::move(transfer));
        Wake();
        return;
      }
    }
    if (action == Action::kStart) transfer->End(CURLE_ABORTED_BY_CALLBACK, Stopped());
  }

  bool driving() {
    base::MutexLock lock(mutex_);
    return driver_ == std::this_thread::get_id();
  }

 private:
  using Command = std::pair<Action, std::shared_ptr<Transfer>>;

  using TimePoint = Transfer::TimePoint;

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
    static_cast<Loop*>(self)->Watch(socket, what, known != nullptr);
    return 0;
  }
  static int OnTimer(CURLM*, long milliseconds, void* self) {
    std::optional<TimePoint>& timer = static_cast<Loop*>(self)->curl_timer_;
    timer.reset();
    if (milliseconds >= 0) {
      timer = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    }
    return 0;
  }

  void Watch(curl_socket_t socket, int what, bool known) {
    epoll_event event = {.events = 0, .data = {.fd = socket}};
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, &event);
      curl_multi_assign(multi_, socket, nullptr);
      return;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
    const bool changed = known && epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event) == 0;
    if (!changed) epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(multi_, socket, this);
  }

  void Wake() const {
    const uint64_t one = 1;
    // Full, it wakes already.
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
  }

  void Act(curl_socket_t socket, int events) {
    if (socket == CURL_SOCKET_TIMEOUT) curl_timer_.reset();
    int running = 0;
    curl_multi_socket_action(multi_, socket, events, &running);
  }

  bool TryDrive() {
    base::MutexLock lock(mutex_);
    if (driver_ != std::thread::id() || stopped_) return false;
    driver_ = std::this_thread::get_id();
    return true;
  }

  void Drive() {
    base::MutexLock lock(mutex_);
    while (driver_ != std::thread::id()) free_.Wait(mutex_);
    driver_ = std::this_thread::get_id();
  }

  void StopDriving() {
    base::MutexLock lock(mutex_);
    driver_ = std::thread::id();
    free_.NotifyOne();
  }

  void Run() {
    Drive();
    while (Obey()) {
      if (curl_timer_.has_value() && *curl_timer_ <= std::chrono::steady_clock::now()) {
        Act(CURL_SOCKET_TIMEOUT, 0);
      }
      Tell();
      ExpireDeadlines();
      Serve();
    }
    while (!transfers_.empty()) {
      Remove(transfers_.begin()->second, CURLE_ABORTED_BY_CALLBACK, Stopped());
    }
    StopDriving();
  }

  // Carries out what other threads asked for; false when the client stops.
  bool Obey() {
    std::vector<Command> commands;
    bool stopping = false;
    {
      base::MutexLock lock(mutex_);
      std::swap(commands, commands_);
      stopping = stopping_;
      stopped_ = stopping_;
    }
    for (const auto& [action, transfer] : commands) Do(action, transfer);
    return !stopping;
  }

  void Do(Action action, const std::shared_ptr<Transfer>& transfer) {
    if (action == Action::kStart) return Add(transfer);
    if (transfers_.count(transfer->easy()) == 0) return;
    if (action == Action::kResume) return transfer->Resume();
    Remove(transfer, CURLE_ABORTED_BY_CALLBACK, Cancelled());
  }

  void Add(const std::shared_ptr<Transfer>& transfer) {
    const absl::Status prepared = transfer->Prepare();
    if (!prepared.ok()) return transfer->End(CURLE_URL_MALFORMAT, prepared);
    transfer->NoteFedIn(&fed_);
    transfers_[transfer->easy()] = transfer;
    curl_multi_add_handle(multi_, transfer->easy());
  }

  void Remove(std::shared_ptr<Transfer> transfer, CURLcode code, const absl::Status& error) {
    curl_multi_remove_handle(multi_, transfer->easy());
    transfers_.erase(transfer->easy());
    transfer->End(code, error);
  }

  void CollectDone() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = transfers_.find(message->easy_handle);
      if (found != transfers_.end()) Remove(found->second, code, absl::OkStatus());
    }
  }

  // Tells the transfers what curl has done: that they have ended, or else that nothing more is at
  // hand.
  void Tell() {
    CollectDone();
    for (CURL* const easy : std::exchange(fed_, {})) {
      const auto found = transfers_.find(easy);
      if (found != transfers_.end()) std::shared_ptr<Transfer>(found->second)->Flush();
    }
  }

  // Waits for sockets, commands and deadlines, and serves the sockets.
  void Serve() {
    std::array<epoll_event, kEventsMax> events;
    const int timeout = PollTimeout();
    resting_until_ = NextLook();
    StopDriving();
    const int count = epoll_wait(epoll_, events.data(), kEventsMax, timeout);
    Drive();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.fd == wake_) {
        uint64_t calls = 0;
        [[maybe_unused]] const ssize_t taken = read(wake_, &calls, sizeof(calls));
        continue;
      }
      const int in = (event.events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0;
      const int out = (event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
      const int broken = (event.events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0;
      Act(event.data.fd, in | out | broken);
      Tell();
    }
    // What has happened may have brought a deadline nearer.
    if (count > 0) {
      look_at_ = std::min(look_at_, std::chrono::steady_clock::now() + kDeadlineStep);
    }
  }

  void ExpireDeadlines() {
    const auto now = std::chrono::steady_clock::now();
    if (now < look_at_) return;
    std::vector<std::pair<std::shared_ptr<Transfer>, absl::Status>> expired;
    for (const auto& [easy, transfer] : transfers_) {
      absl::Status status = transfer->CheckDeadlines(now);
      if (!status.ok()) expired.emplace_back(transfer, std::move(status));
    }
    for (const auto& [transfer, status] : expired) {
      Remove(transfer, CURLE_OPERATION_TIMEDOUT, status);
    }
    look_at_ = now + std::chrono::milliseconds(kPollMillisecondsMax);
    for (const auto& [easy, transfer] : transfers_) {
      look_at_ = std::min(look_at_, transfer->next_deadline());
    }
  }

  TimePoint NextLook() const { return std::min(look_at_, curl_timer_.value_or(look_at_)); }

  int PollTimeout() const {
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(NextLook() - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<int64_t>(0, wait.count()));
  }

  CURLM* multi_ = nullptr;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // The driver's, as all of these.
  std::optional<TimePoint> curl_timer_;  // When curl wants to be called.
  TimePoint look_at_;                    // When a deadline may have passed.
  TimePoint resting_until_;              // Of the thread, if nothing happens.
  std::unordered_map<CURL*, std::shared_ptr<Transfer>> transfers_;
  std::vector<CURL*> fed_;  // Transfers that have got something and were not told that it is all.

  base::Mutex mutex_;
  base::CondVar free_;
  std::thread::id driver_ ABSL_GUARDED_BY(mutex_);
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

namespace {

// May outlive its client: the loop then takes no more commands.
template <typename Loop>
class TransferHandle final : public Client::Handle {
 public:
  TransferHandle(std::shared_ptr<Loop> loop, std::shared_ptr<Transfer> transfer)
      : loop_(std::move(loop)), transfer_(std::move(transfer)) {}
  ~TransferHandle() override {
    const bool ended = transfer_->Silence(loop_->driving());
    if (!ended) loop_->Post(Loop::Action::kDrop, transfer_);
  }
  void Cancel() override { loop_->Post(Loop::Action::kCancel, transfer_); }
  void Resume() override { loop_->Post(Loop::Action::kResume, transfer_); }

 private:
  const std::shared_ptr<Loop> loop_;
  const std::shared_ptr<Transfer> transfer_;
};

}  // namespace

Client::Client(int threads) {
  for (int i = 0; i < std::max(1, threads); ++i) loops_.push_back(std::make_shared<Loop>());
}

Client::~Client() {
  for (const std::shared_ptr<Loop>& loop : loops_) loop->Stop();
}

const std::shared_ptr<Client::Loop>& Client::NextLoop() {
  return loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

std::unique_ptr<Client::Handle> Client::Start(ClientRequest request, ClientCallbacks callbacks) {
  const std::shared_ptr<Loop>& loop = NextLoop();
  auto transfer = std::make_shared<Transfer>(std::move(request), std::move(callbacks));
  loop->Post(Loop::Action::kStart, transfer);
  return std::make_unique<TransferHandle<Loop>>(loop, std::move(transfer));
}

std::unique_ptr<Client::Handle> Client::StartHere(ClientRequest request,
                                                  ClientCallbacks callbacks) {
  auto transfer = std::make_shared<Transfer>(std::move(request), std::move(callbacks));
  // What is wrong with it is told by a thread of the client.
  const bool prepared = transfer->Prepare().ok();
  for (size_t tries = 0; prepared && tries < loops_.size(); ++tries) {
    const std::shared_ptr<Loop>& loop = NextLoop();
    if (!loop->TryStartHere(transfer)) continue;
    return std::make_unique<TransferHandle<Loop>>(loop, std::move(transfer));
  }
  const std::shared_ptr<Loop>& loop = NextLoop();
  loop->Post(Loop::Action::kStart, transfer);
  return std::make_unique<TransferHandle<Loop>>(loop, std::move(transfer));
}

Client::Response Client::Fetch(ClientRequest request) {
  Response response;
  base::Mutex mutex;
  base::CondVar changed;
  bool done = false;
  const std::unique_ptr<Handle> handle =
      Start(std::move(request),
            {.on_headers = [&](int, const Headers& headers) { response.headers = headers; },
             .on_data =
                 [&](absl::string_view chunk) {
                   response.body.append(chunk.data(), chunk.size());
                   return ClientCallbacks::Flow::kContinue;
                 },
             .on_done =
                 [&](ClientResult result) {
                   base::MutexLock lock(mutex);
                   response.result = std::move(result);
                   done = true;
                   changed.NotifyAll();
                 }});
  base::MutexLock lock(mutex);
  while (!done) changed.Wait(mutex);
  return response;
}

}  // namespace slipway::http
