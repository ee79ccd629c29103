#include "lib/http/client.h"

#include <algorithm>
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

absl::Status Cancelled() {
  return base::Error(absl::StatusCode::kCancelled, "REQUEST_CANCELLED",
                     "the request was cancelled");
}

absl::Status Stopped() {
  return base::Error(absl::StatusCode::kCancelled, "CLIENT_STOPPED", "the client is shutting down");
}

}  // namespace

// The thread. Commands from other threads are queued and the poll is woken.
class Client::Loop final {
 public:
  enum class Action { kStart, kCancel, kDrop, kResume };

  Loop() {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_ALL);
    (void)initialized;
    multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    thread_ = std::thread([this] { Run(); });
    id_ = thread_.get_id();
  }

  ~Loop() { curl_multi_cleanup(multi_); }

  // Joins: no callback runs afterwards.
  void Stop() {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
  }

  void Post(Action action, std::shared_ptr<Transfer> transfer) {
    {
      base::MutexLock lock(mutex_);
      if (!stopped_) {
        commands_.emplace_back(action, std::move(transfer));
        curl_multi_wakeup(multi_);
        return;
      }
    }
    if (action == Action::kStart) transfer->End(CURLE_ABORTED_BY_CALLBACK, Stopped());
  }

  bool on_thread() const { return std::this_thread::get_id() == id_; }

 private:
  using Command = std::pair<Action, std::shared_ptr<Transfer>>;

  void Run() {
    while (Obey()) {
      int running = 0;
      curl_multi_perform(multi_, &running);
      CollectDone();
      ExpireDeadlines();
      curl_multi_poll(multi_, nullptr, 0, PollTimeout(), nullptr);
    }
    while (!transfers_.empty()) {
      Remove(transfers_.begin()->second, CURLE_ABORTED_BY_CALLBACK, Stopped());
    }
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

  void ExpireDeadlines() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<std::pair<std::shared_ptr<Transfer>, absl::Status>> expired;
    for (const auto& [easy, transfer] : transfers_) {
      absl::Status status = transfer->CheckDeadlines(now);
      if (!status.ok()) expired.emplace_back(transfer, std::move(status));
    }
    for (const auto& [transfer, status] : expired) {
      Remove(transfer, CURLE_OPERATION_TIMEDOUT, status);
    }
  }

  int PollTimeout() const {
    const auto now = std::chrono::steady_clock::now();
    auto next = now + std::chrono::milliseconds(kPollMillisecondsMax);
    for (const auto& [easy, transfer] : transfers_)
      next = std::min(next, transfer->next_deadline());
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now);
    return static_cast<int>(std::max<int64_t>(0, wait.count()));
  }

  CURLM* multi_ = nullptr;
  std::unordered_map<CURL*, std::shared_ptr<Transfer>> transfers_;  // The thread's own.
  base::Mutex mutex_;
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
  std::thread::id id_;
};

namespace {

// May outlive its client: the loop then takes no more commands.
template <typename Loop>
class TransferHandle final : public Client::Handle {
 public:
  TransferHandle(std::shared_ptr<Loop> loop, std::shared_ptr<Transfer> transfer)
      : loop_(std::move(loop)), transfer_(std::move(transfer)) {}
  ~TransferHandle() override {
    transfer_->Silence(loop_->on_thread());
    loop_->Post(Loop::Action::kDrop, transfer_);
  }
  void Cancel() override { loop_->Post(Loop::Action::kCancel, transfer_); }
  void Resume() override { loop_->Post(Loop::Action::kResume, transfer_); }

 private:
  const std::shared_ptr<Loop> loop_;
  const std::shared_ptr<Transfer> transfer_;
};

}  // namespace

Client::Client() : loop_(std::make_shared<Loop>()) {}
Client::~Client() { loop_->Stop(); }

std::unique_ptr<Client::Handle> Client::Start(ClientRequest request, ClientCallbacks callbacks) {
  auto transfer = std::make_shared<Transfer>(std::move(request), std::move(callbacks));
  loop_->Post(Loop::Action::kStart, transfer);
  return std::make_unique<TransferHandle<Loop>>(loop_, std::move(transfer));
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
