#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/http/client.h"

namespace slipway::http {

// One exchange of a client on a curl easy handle. Everything happens on the thread that drives the
// client, except Silence, and Prepare before that.
class Transfer final {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Transfer(ClientRequest request, ClientCallbacks callbacks);
  ~Transfer();

  // Makes the handle, the first time; an error means that nothing can be sent.
  absl::Status Prepare();
  CURL* easy() const { return easy_; }

  // Before it begins: it will note itself in `fed` when a callback has taken data.
  void NoteFedIn(std::vector<CURL*>* fed) { fed_transfers_ = fed; }

  // No callback will run once this returns, except one that calls it. Whether it has ended.
  bool Silence(bool driving);

  // The error of the first deadline that has passed; otherwise OK.
  absl::Status CheckDeadlines(TimePoint now) const;
  // The next moment at which CheckDeadlines may fail.
  TimePoint next_deadline() const;

  void Resume();

  // Tells that nothing more is at hand, if something has come.
  void Flush();

  // Reports the end. `error` is the reason if curl does not know it.
  void End(CURLcode code, const absl::Status& error);

 private:
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static int OnPrepared(void* self, char*, char*, int, int);

  void DropSentBody();
  bool TakeHeaderLine(absl::string_view line);
  size_t TakeBody(absl::string_view chunk);
  bool MaySendNow();
  absl::Status MakeHandle();
  void SetMethodAndBody();
  absl::Status SetHeaders();
  void SetTls();
  bool RequestSent() const;
  absl::Status CurlError(CURLcode code) const;
  Outcome OutcomeOf(CURLcode code) const;

  ClientRequest request_;
  CURL* easy_ = nullptr;
  std::optional<absl::Status> prepared_;
  std::vector<CURL*>* fed_transfers_ = nullptr;
  std::unique_ptr<curl_slist, FreeList> header_list_;
  char error_text_[CURL_ERROR_SIZE] = {};

  base::Mutex mutex_;  // Held while a callback runs.
  ClientCallbacks callbacks_;
  bool silent_ = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  Headers response_headers_;
  size_t header_bytes_ = 0;
  int http_status_ = 0;
  bool head_complete_ = false;
  bool paused_ = false;
  bool fed_ = false;   // Since the last Flush.
  bool lost_ = false;  // Sent on a reused connection that then broke.
  uint64_t received_bytes_ = 0;
  absl::Status refusal_;
  TimePoint started_;
  TimePoint last_byte_;
};

}  // namespace slipway::http
