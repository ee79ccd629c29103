#include "services/dispatcher/fleet/kubernetes_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "nlohmann/json.hpp"

namespace slipway::dispatcher {
namespace {

constexpr int kPageObjects = 500;
constexpr int kPagesMax = 20;  // A host has at most 1,000 agents.

// The cluster ends a watch by itself after so long; silence for longer is a lost connection.
constexpr int kStreamSeconds = 240;
constexpr absl::Duration kStreamSilence = absl::Seconds(300);

// What waits to be taken over: the host's thread takes it within a call or two.
constexpr size_t kStreamTextMax = 32u << 20;

constexpr absl::Duration kListAgain = absl::Minutes(10);
constexpr absl::Duration kBackoffInitial = absl::Milliseconds(200);
constexpr int kBackoffDoublingsMax = 7;
// A watch that ends sooner is not begun again at once.
constexpr absl::Duration kStreamShort = absl::Seconds(1);

metrics::Counter watches({.name = "slipway_dispatcher_kubernetes_watches_total",
                          .description = "Watches of Kubernetes clusters, by how they ended.",
                          .labels = {"end"}});

const nlohmann::json& Member(const nlohmann::json& object, const char* key) {
  static const nlohmann::json& nothing = *new nlohmann::json;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string MemberText(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = Member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

absl::Status NotWhatItSays() {
  return absl::InternalError("the cluster's answer is not what it says");
}

}  // namespace

absl::Status KubernetesWatch::Refresh(absl::Duration now) {
  if (stream_ != nullptr) {
    if (absl::Status taken = TakeStream(now); !taken.ok()) return NoteFailure(taken, now);
  }
  if (now < not_before_) return problem_;
  if (list_at_ <= now) version_.clear();
  if (version_.empty()) {
    handle_.reset();
    stream_.reset();
    if (absl::Status listed = List(); !listed.ok()) return NoteFailure(listed, now);
    list_at_ = now + kListAgain;
  }
  if (stream_ == nullptr) {
    if (absl::Status started = StartStream(now); !started.ok()) return NoteFailure(started, now);
  }
  failures_ = 0;
  problem_ = absl::OkStatus();
  not_before_ = absl::ZeroDuration();
  return absl::OkStatus();
}

absl::Status KubernetesWatch::NoteFailure(absl::Status status, absl::Duration now) {
  handle_.reset();
  stream_.reset();
  rest_.clear();
  absl::Duration wait =
      kBackoffInitial * (int64_t{1} << std::min(failures_++, kBackoffDoublingsMax));
  if (const auto detail = base::DetailOf(status); detail && detail->retry_after.has_value()) {
    wait = std::max(wait, *detail->retry_after);
  }
  not_before_ = now + wait;
  problem_ = status;
  return status;
}

absl::StatusOr<std::string> KubernetesWatch::ListPage(const std::string& token, Objects& listed) {
  std::string path =
      absl::StrCat(options_.path, "?labelSelector=", EscapedForQuery(options_.selector),
                   "&limit=", kPageObjects);
  if (!token.empty()) absl::StrAppend(&path, "&continue=", EscapedForQuery(token));
  ASSIGN_OR_RETURN(const std::string answer, api_.Call("GET", path));
  const nlohmann::json page = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json& items = Member(page, "items");
  version_ = MemberText(Member(page, "metadata"), "resourceVersion");
  if (!(items.is_array() || items.is_null()) || version_.empty()) return NotWhatItSays();
  for (const nlohmann::json& item : items) {
    ClusterObject object = options_.read(item);
    if (object.name.empty()) return NotWhatItSays();
    listed[object.name] = std::move(object);
  }
  return MemberText(Member(page, "metadata"), "continue");
}

absl::Status KubernetesWatch::List() {
  Objects listed;
  std::string token;
  for (int page = 0; page < kPagesMax; ++page) {
    absl::StatusOr<std::string> next = ListPage(token, listed);
    if (!next.ok()) {
      version_.clear();
      return next.status();
    }
    token = *std::move(next);
    if (token.empty()) break;
  }
  for (const auto& [name, object] : objects_) {
    if (listed.count(name) == 0) deleted_.insert(object.agent);
  }
  objects_ = std::move(listed);
  ++lists_;
  return absl::OkStatus();
}

absl::Status KubernetesWatch::StartStream(absl::Duration now) {
  const std::string path = absl::StrCat(
      options_.path, "?watch=1&allowWatchBookmarks=true&timeoutSeconds=", kStreamSeconds,
      "&resourceVersion=", EscapedForQuery(version_),
      "&labelSelector=", EscapedForQuery(options_.selector));
  ASSIGN_OR_RETURN(http::ClientRequest request, api_.StreamRequest(path, kStreamSilence));
  stream_ = std::make_shared<Stream>();
  stream_since_ = now;
  rest_.clear();
  http::ClientCallbacks callbacks;
  callbacks.on_headers = [stream = stream_](int status, const http::Headers& headers) {
    base::MutexLock lock(stream->mutex);
    stream->http_status = status;
    stream->headers = headers;
  };
  callbacks.on_data = [stream = stream_, wake = options_.wake](absl::string_view chunk) {
    {
      base::MutexLock lock(stream->mutex);
      if (stream->text.size() < kStreamTextMax) stream->text.append(chunk.data(), chunk.size());
    }
    wake();
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [stream = stream_, wake = options_.wake](http::ClientResult result) {
    {
      base::MutexLock lock(stream->mutex);
      stream->ended = true;
      if (!result.status.ok()) stream->end = KubernetesApi::StatusOf(result);
    }
    wake();
  };
  handle_ = client_.Start(std::move(request), std::move(callbacks));
  return absl::OkStatus();
}

absl::Status KubernetesWatch::TakeStream(absl::Duration now) {
  std::string text;
  bool ended = false;
  bool full = false;
  int http_status = 0;
  http::Headers headers;
  absl::Status end;
  {
    base::MutexLock lock(stream_->mutex);
    ended = stream_->ended;
    end = stream_->end;
    http_status = stream_->http_status;
    if (http_status != 200 && !ended) return absl::OkStatus();  // What it says is still coming.
    headers = stream_->headers;
    full = stream_->text.size() >= kStreamTextMax;
    text = std::exchange(stream_->text, {});
  }
  if (full) version_.clear();  // Something may be missing in it.
  absl::Status taken;
  if (http_status == 200) {
    rest_ += text;
    size_t begin = 0;
    for (size_t at = 0; taken.ok() && (at = rest_.find('\n', begin)) != std::string::npos;) {
      taken = TakeEvent(rest_.substr(begin, at - begin));
      begin = at + 1;
    }
    rest_.erase(0, begin);
  } else if (http_status != 0) {
    taken = KubernetesApi::StatusOf(http_status, headers, text);
  }
  if (absl::IsOutOfRange(taken)) {
    watches.Increment({"expired"});
    version_.clear();  // Listed at once.
    handle_.reset();
    stream_.reset();
    return absl::OkStatus();
  }
  if (!taken.ok()) {
    watches.Increment({"refused"});
    return taken;
  }
  if (!ended) return absl::OkStatus();
  watches.Increment({end.ok() ? "ended" : "cut"});
  handle_.reset();
  stream_.reset();
  // A connection that breaks is an everyday thing; one that cannot be made is not.
  if (http_status == 0) return end;
  if (now - stream_since_ < kStreamShort) not_before_ = now + kBackoffInitial;
  return absl::OkStatus();
}

absl::Status KubernetesWatch::TakeEvent(const std::string& line) {
  const nlohmann::json event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const std::string type = MemberText(event, "type");
  const nlohmann::json& object = Member(event, "object");
  if (type == "ERROR") {
    const nlohmann::json& code = Member(object, "code");
    return KubernetesApi::StatusOf(code.is_number_integer() ? code.get<int>() : 500, {},
                                   object.dump());
  }
  const std::string version = MemberText(Member(object, "metadata"), "resourceVersion");
  if (type.empty() || version.empty()) return NotWhatItSays();
  if (type == "ADDED" || type == "MODIFIED" || type == "DELETED") {
    ClusterObject read = options_.read(object);
    if (type == "DELETED") {
      deleted_.insert(read.agent);
      objects_.erase(read.name);
    } else {
      objects_[read.name] = std::move(read);
    }
  }
  version_ = version;  // Also of a BOOKMARK, and of kinds of events that are not known yet.
  return absl::OkStatus();
}

}  // namespace slipway::dispatcher
