#pragma once

#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"

#include "agent/session/dispatcher_client.h"
#include "agent/session/holder.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::agent {

// The agent's session with its dispatcher: says what is held, sends beats, logs and progress, takes
// grants, and dials again when the connection breaks. Messages tell states, so whatever was lost
// with a connection is told again on the next one. Thread-safe.
class Session final {
 public:
  struct Options {
    std::string agent;
    std::string host;
    int64_t boot_nonce = 0;
  };

  Session(Options options, DispatcherClient& client, Holder& holder, base::Clock& clock)
      : options_(std::move(options)), client_(client), holder_(holder), clock_(clock) {}

  // Blocks until Goodbye or Stop (OK), a refusal that no repeat changes, or, while nothing is held,
  // DispatcherUnreachable.
  absl::Status Run();

  // Ends Run soon.
  void Stop();
  // There is something new to send.
  void Wake();
  // Beats at once: it holds nothing any more.
  void BeatNow();

  // Hands in a result on the present connection and waits for its receipt. Absent when there is
  // no connection, the dispatcher is too old, or no receipt came in time: the result may or may not
  // have arrived then, and is to be handed in by a call.
  std::optional<absl::StatusOr<DispatcherClient::Receipt>> HandIn(v1::ResultReport report,
                                                                  absl::Duration timeout);

 private:
  struct Connection;
  // What was sent before a beat: delivered, once the beat is answered.
  struct SentBeat {
    absl::Duration sent;
    GrantKey key;
    int64_t log_sent = 0;
    int64_t notes_sent = 0;
  };

  // A result that waits to be sent, or for its receipt.
  struct Handover {
    v1::SessionRequest request;
    bool sent = false;
    std::optional<absl::StatusOr<DispatcherClient::Receipt>> receipt;
  };

  // One connection, from Hello to its end. `welcomed` tells whether the dispatcher answered.
  absl::Status Connect(bool& welcomed);
  void Receive(Connection& connection);
  void Handle(Connection& connection, const v1::SessionResponse& message);
  void HandleAnswer(Connection& connection, const v1::BeatAnswer& answer);
  void HandleReceipt(const v1::ResultReceipt& receipt);
  void HandleGrant(Connection& connection, const v1::Grant& message);
  void HandleVerdict(const v1::GrantVerdict& verdict, absl::Duration sent,
                     absl::Duration lease_timeout);
  // Sends until the connection is over.
  void SendAll(Connection& connection);
  // The next thing to send; waits for it. Absent: the connection is over.
  std::optional<v1::SessionRequest> Next(Connection& connection);
  bool IsBeatDue(const Connection& connection);
  // Whether a beat is under way whose answer confirms all of the log.
  bool DeliveryAsked(const Connection& connection, const Holder::Held& held);
  static std::optional<v1::SessionRequest> ReportOf(const Holder::Held& held);
  v1::SessionRequest MakeHello() const;
  v1::SessionRequest MakeBeat(Connection& connection, const std::optional<Holder::Held>& held);

  const Options options_;
  DispatcherClient& client_;
  Holder& holder_;
  base::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool beat_now_ ABSL_GUARDED_BY(mutex_) = false;
  bool takes_results_ ABSL_GUARDED_BY(mutex_) =
      false;  // The dispatcher, on the present connection.
  std::optional<Handover> handover_ ABSL_GUARDED_BY(mutex_);
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::unique_ptr<base::Timer> close_timer_;  // Last: its call uses all of the above.
};

}  // namespace slipway::agent
