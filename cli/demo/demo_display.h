#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/client/plan_view.h"
#include "cli/demo/demo_summary.h"
#include "cli/output/live_screen.h"
#include "cli/output/output.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::cli {

// How a person sees a demo: a tree that is drawn over itself on a terminal with what is worth
// telling above it, plain lines elsewhere, nothing but the result for a program. Report may be
// called from any thread; everything else is for one.
class DemoDisplay final {
 public:
  DemoDisplay(Output& output, base::Clock& clock)
      : output_(output), clock_(clock), screen_(output) {}

  void Heading(absl::string_view text);
  void Say(absl::string_view text);

  // What is going on with the services; shown with the next line or drawing.
  void Report(absl::string_view text);

  void ShowProposal(const PlanView& view);
  void ShowEvent(const events::v1::Event& event);
  void ShowView(const PlanView& view);
  void Redraw();

  void ShowStory(const DemoSummary& summary);
  void ShowCosts(const DemoSummary& summary);
  void ShowBranch(const std::string& log);
  void ShowEnd(const DemoSummary& summary);

 private:
  void Print(const std::string& line);
  void PrintReports();
  std::string Incident(const Story::Incident& incident) const;

  Output& output_;
  base::Clock& clock_;
  LiveScreen screen_;
  std::optional<PlanView> view_;

  base::Mutex mutex_;
  std::vector<std::string> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cli
