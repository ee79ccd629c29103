#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/connection.h"
#include "cli/client/data_directory.h"
#include "cli/demo/demo_display.h"
#include "cli/demo/demo_summary.h"
#include "cli/demo/sample.h"
#include "cli/demo/sample_repository.h"
#include "cli/supervisor/suite.h"
#include "lib/base/clock.h"

namespace slipway::cli {

// Drives the sample from its spec to merged code through a suite of its own. Every step is a call
// that any client could make. Services may crash on the way. Not thread-safe.
class DemoRun final {
 public:
  DemoRun(DataDirectory data, Sample sample, DemoDisplay& display, base::Clock& clock);
  ~DemoRun();

  // Blocks until the plan has ended and its result is tested. Fails when a step is refused, the
  // suite stays away, nothing moves any more (DEMO_STUCK), or the person interrupts it
  // (INTERRUPTED).
  absl::StatusOr<DemoSummary> Run();

 private:
  absl::Status StartSuite();
  absl::Status CreateProject();
  absl::Status SetLimit(const std::string& scope, int64_t usd_nanos);
  absl::StatusOr<PlanView> Draft();
  absl::Status LimitDocs();
  absl::Status Approve(const PlanView& proposal);
  absl::StatusOr<PlanView> Follow();
  void OnEvent(const events::v1::Event& event);
  bool HasStopped(const PlanView& view);
  absl::StatusOr<DemoSummary> Summarise(PlanView view);
  absl::StatusOr<int> CountHeld();

  template <typename Stub, typename Method, typename Request>
  auto Call(Stub& stub, Method method, const Request& request);

  const DataDirectory data_;
  const Sample sample_;
  DemoDisplay& display_;
  base::Clock& clock_;
  const absl::Duration begin_;
  std::unique_ptr<SampleRepository> repository_;
  std::unique_ptr<Suite> suite_;
  std::unique_ptr<Connection> connection_;
  std::string plan_;
  Story story_;
  absl::Status failure_;  // Of a call made for an event, or of the person who interrupts.
};

}  // namespace slipway::cli
