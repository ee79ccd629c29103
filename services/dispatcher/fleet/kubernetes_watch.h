#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/http/client.h"
#include "nlohmann/json_fwd.hpp"
#include "services/dispatcher/fleet/cluster_object.h"
#include "services/dispatcher/fleet/kubernetes_api.h"

namespace slipway::dispatcher {

// A mirror of the objects of one kind that a selector names: listed page by page, then followed by
// a watch from the version of that list. A watch that ends is taken up again where it was; a
// version that the cluster has forgotten (410) is listed anew, and so is everything once in ten
// minutes. Used by one thread.
class KubernetesWatch final {
 public:
  using Read = ClusterObject (*)(const nlohmann::json&);
  using Objects = std::map<std::string, ClusterObject>;  // By name.

  struct Options {
    std::string path;      // "/api/v1/namespaces/n/pods"
    std::string selector;  // Of labels.
    Read read;
    std::function<void()> wake;  // On the client's thread when there is something to refresh.
  };

  KubernetesWatch(http::Client& client, KubernetesApi& api, Options options)
      : client_(client), api_(api), options_(std::move(options)) {}

  // Takes over what came, and lists or watches where that is due. Fails when the cluster cannot be
  // asked; then `objects` is as it was last known. Blocks on a list only.
  absl::Status Refresh(absl::Duration now);

  const Objects& objects() const { return objects_; }

  // How many lists were complete. What an object is not in any more, though it was made before the
  // list began, is gone.
  int lists() const { return lists_; }

  // Agents whose objects the watch saw deleted since the last call.
  std::set<std::string> TakeDeleted() { return std::exchange(deleted_, {}); }

  // When Refresh has something to do again, even if nothing comes.
  absl::Duration due() const { return not_before_; }

 private:
  // What the client's thread hands over.
  struct Stream {
    base::Mutex mutex;
    std::string text ABSL_GUARDED_BY(mutex);
    int http_status ABSL_GUARDED_BY(mutex) = 0;
    http::Headers headers ABSL_GUARDED_BY(mutex);
    bool ended ABSL_GUARDED_BY(mutex) = false;
    absl::Status end ABSL_GUARDED_BY(mutex);
  };

  absl::Status List();
  absl::StatusOr<std::string> ListPage(const std::string& token, Objects& listed);
  absl::Status StartStream(absl::Duration now);
  absl::Status TakeStream(absl::Duration now);
  absl::Status TakeEvent(const std::string& line);
  absl::Status NoteFailure(absl::Status status, absl::Duration now);

  http::Client& client_;
  KubernetesApi& api_;
  const Options options_;
  Objects objects_;
  std::set<std::string> deleted_;
  std::string version_;  // Empty: to be listed.
  std::string rest_;     // The beginning of a line.
  int lists_ = 0;
  int failures_ = 0;
  absl::Status problem_;
  absl::Duration not_before_ = absl::ZeroDuration();
  absl::Duration list_at_ = absl::ZeroDuration();
  absl::Duration stream_since_ = absl::ZeroDuration();
  std::shared_ptr<Stream> stream_;
  std::unique_ptr<http::Client::Handle> handle_;
};

}  // namespace slipway::dispatcher
