#include "lib/http/transfer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace slipway::http {
namespace {

// Response heads are a few kilobytes; a larger one is an attack or a fault.
constexpr size_t kHeaderBytesMax = 256u << 10;

// The least that curl allows: it keeps one for each exchange with a long body to the exchange's
// end.
constexpr long kUploadBufferBytes = 16 << 10;

// Below the idle timeout of common servers, so that a reused connection is rarely a dead one.
constexpr long kConnectionIdleSeconds = 30;

bool IsIdempotent(absl::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

Transfer::TimePoint After(Transfer::TimePoint start, absl::Duration limit) {
  // Longer than any process lives, and short enough for the arithmetic.
  const absl::Duration bounded = std::min(limit, absl::Hours(24 * 365));
  return start + absl::ToChronoNanoseconds(bounded);
}

long Milliseconds(absl::Duration limit) {
  if (limit == absl::InfiniteDuration()) return 0;
  return static_cast<long>(std::max<int64_t>(1, absl::ToInt64Milliseconds(limit)));
}

absl::Status Timeout(absl::string_view reason, absl::string_view what) {
  return base::Error(absl::StatusCode::kDeadlineExceeded, reason, what);
}

}  // namespace

Transfer::Transfer(ClientRequest request, ClientCallbacks callbacks)
    : request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      started_(std::chrono::steady_clock::now()),
      last_byte_(started_) {}

Transfer::~Transfer() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
}

absl::Status Transfer::Prepare() {
  if (!prepared_.has_value()) prepared_ = MakeHandle();
  return *prepared_;
}

absl::Status Transfer::MakeHandle() {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return absl::ResourceExhaustedError("no memory for a request");
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROXY, request_.proxy.c_str());
  if (request_.proxy.empty()) curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
  curl_easy_setopt(easy_, CURLOPT_MAXAGE_CONN, kConnectionIdleSeconds);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request_.connect_timeout));
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, 0L);
  if (!request_.unix_socket.empty()) {
    curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  }
  if (curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str()) != CURLE_OK) {
    return base::Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", "the URL is not valid");
  }
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, OnPrepared);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  SetMethodAndBody();
  SetTls();
  return SetHeaders();
}

void Transfer::SetMethodAndBody() {
  const bool has_body = !request_.body.empty() || request_.method == "POST" ||
                        request_.method == "PUT" || request_.method == "PATCH";
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (has_body) {
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
  } else {
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void Transfer::SetTls() {
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!request_.ca_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, request_.ca_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
  if (!request_.certificate_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_SSLCERT, request_.certificate_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_SSLKEY, request_.key_file.c_str());
  }
}

absl::Status Transfer::SetHeaders() {
  if (!request_.headers.Valid()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "HEADERS_INVALID",
                       "a request header has a malformed name or a control character");
  }
  const auto append = [this](const std::string& line) {
    header_list_.reset(curl_slist_append(header_list_.release(), line.c_str()));
  };
  for (const auto& [name, value] : request_.headers) {
    append(value.empty() ? absl::StrCat(name, ";") : absl::StrCat(name, ": ", value));
  }
  // curl's own additions: waiting for 100 Continue only costs a round trip, and a body's type is
  // the caller's to say.
  append("Expect:");
  if (!request_.headers.Has("Content-Type")) append("Content-Type:");
  if (!request_.headers.Has("Accept")) append("Accept: */*");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_.get());
  return absl::OkStatus();
}

bool Transfer::Silence(bool driving) {
  if (driving) {
    silent_ = true;
    return false;  // It may be what ends just now.
  }
  ClientCallbacks released;
  base::MutexLock lock(mutex_);
  silent_ = true;
  std::swap(released, callbacks_);
  return ended_;
}

absl::Status Transfer::CheckDeadlines(TimePoint now) const {
  if (now >= After(started_, request_.total_timeout)) {
    return Timeout("TOTAL_TIMEOUT", "the exchange took longer than allowed");
  }
  if (!head_complete_ && now >= After(started_, request_.first_byte_timeout)) {
    return Timeout("FIRST_BYTE_TIMEOUT", "no response came in time");
  }
  if (head_complete_ && !paused_ && now >= After(last_byte_, request_.idle_timeout)) {
    return Timeout("IDLE_TIMEOUT", "the response stopped half-way");
  }
  return absl::OkStatus();
}

Transfer::TimePoint Transfer::next_deadline() const {
  TimePoint next = After(started_, request_.total_timeout);
  if (!head_complete_) next = std::min(next, After(started_, request_.first_byte_timeout));
  if (head_complete_ && !paused_) next = std::min(next, After(last_byte_, request_.idle_timeout));
  return next;
}

void Transfer::Resume() {
  if (!std::exchange(paused_, false)) return;
  last_byte_ = std::chrono::steady_clock::now();
  curl_easy_pause(easy_, CURLPAUSE_CONT);
}

size_t Transfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  const bool taken = static_cast<Transfer*>(self)->TakeHeaderLine({data, size * count});
  return taken ? size * count : 0;
}

size_t Transfer::OnBody(char* data, size_t size, size_t count, void* self) {
  return static_cast<Transfer*>(self)->TakeBody({data, size * count});
}

int Transfer::OnPrepared(void* self, char*, char*, int, int) {
  return static_cast<Transfer*>(self)->MaySendNow() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// Called before each sending, of which there are two when a reused connection turned out dead:
// curl then sends again by itself, although the server may have acted on the first.
bool Transfer::MaySendNow() {
  lost_ = RequestSent() && !IsIdempotent(request_.method);
  return !lost_;
}

bool Transfer::RequestSent() const {
  long bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

bool Transfer::TakeHeaderLine(absl::string_view line) {
  if (head_complete_) return true;  // Trailers say nothing that we use.
  header_bytes_ += line.size();
  if (header_bytes_ > kHeaderBytesMax) {
    refusal_ = base::Error(absl::StatusCode::kResourceExhausted, "RESPONSE_TOO_LARGE",
                           "the response's header fields are larger than allowed");
    return false;
  }
  const absl::string_view text = absl::StripAsciiWhitespace(line);
  if (absl::StartsWith(text, "HTTP/")) {
    response_headers_ = {};
    const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(' ', 2));
    http_status_ = 0;
    if (parts.size() > 1) (void)absl::SimpleAtoi(parts[1], &http_status_);
    return true;
  }
  if (!text.empty()) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(text, absl::MaxSplits(':', 1));
    response_headers_.Add(field.first, absl::StripAsciiWhitespace(field.second));
    return true;
  }
  if (http_status_ < 200) return true;  // An interim response; the final one follows.
  head_complete_ = true;
  last_byte_ = std::chrono::steady_clock::now();
  DropSentBody();
  base::MutexLock lock(mutex_);
  if (!silent_ && callbacks_.on_headers) callbacks_.on_headers(http_status_, response_headers_);
  return true;
}

// A stream of hours need not hold what it was asked with. Once a response has come, curl sends
// nothing again; what a server did not wait for is still being sent.
void Transfer::DropSentBody() {
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
  if (sent < static_cast<curl_off_t>(request_.body.size())) return;
  std::string().swap(request_.body);
}

size_t Transfer::TakeBody(absl::string_view chunk) {
  if (received_bytes_ + chunk.size() > request_.response_bytes_max) {
    refusal_ = base::Error(absl::StatusCode::kResourceExhausted, "RESPONSE_TOO_LARGE",
                           absl::StrCat("the response is larger than the ",
                                        request_.response_bytes_max, " bytes allowed"));
    return 0;
  }
  {
    base::MutexLock lock(mutex_);
    if (!silent_ && callbacks_.on_data &&
        callbacks_.on_data(chunk) == ClientCallbacks::Flow::kPause) {
      paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
  }
  received_bytes_ += chunk.size();
  last_byte_ = std::chrono::steady_clock::now();
  if (!std::exchange(fed_, true)) fed_transfers_->push_back(easy_);
  return chunk.size();
}

void Transfer::Flush() {
  if (!std::exchange(fed_, false)) return;
  base::MutexLock lock(mutex_);
  if (!silent_ && callbacks_.on_flush) callbacks_.on_flush();
}

absl::Status Transfer::CurlError(CURLcode code) const {
  const std::string text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return base::Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", text);
    case CURLE_OPERATION_TIMEDOUT:
      return Timeout("CONNECT_TIMEOUT", text);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return base::Error(absl::StatusCode::kUnavailable, "CONNECT_FAILED", text);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return base::Error(absl::StatusCode::kUnavailable, "TLS_FAILED", text);
    default:
      return base::Error(absl::StatusCode::kUnavailable, "CONNECTION_BROKEN", text);
  }
}

Outcome Transfer::OutcomeOf(CURLcode code) const {
  if (head_complete_) return code == CURLE_OK ? Outcome::kComplete : Outcome::kIncomplete;
  if (easy_ == nullptr) return Outcome::kNotSent;
  if (lost_ || RequestSent() || code == CURLE_OK) return Outcome::kNoResponse;
  const bool never_tried = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                           code == CURLE_ABORTED_BY_CALLBACK;
  return never_tried ? Outcome::kNotSent : Outcome::kConnectFailed;
}

void Transfer::End(CURLcode code, const absl::Status& error) {
  ClientResult result = {.outcome = OutcomeOf(code),
                         .http_status = head_complete_ ? http_status_ : 0,
                         .received_bytes = received_bytes_};
  if (result.outcome != Outcome::kComplete) {
    result.status = !refusal_.ok() ? refusal_ : !error.ok() ? error : CurlError(code);
  }
  base::MutexLock lock(mutex_);
  if (!silent_ && callbacks_.on_done) callbacks_.on_done(std::move(result));
  silent_ = true;
  ended_ = true;
}

}  // namespace slipway::http
