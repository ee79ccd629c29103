#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/git/git_fixture.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/server.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/sequential_ids.h"
#include "services/reviewer/server.h"
#include "services/reviewer/testing/fake_models.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::reviewer {

// A reviewer that serves over a socket, a person's repository and a fake models service.
class ReviewFixture : public git::GitFixture {
 protected:
  using ReviewerStub = v1::ReviewerService::StubInterface;
  using RepositoryStub = repository::v1::RepositoryService::StubInterface;

  static constexpr char kPlan[] = "projects/shop/plans/2026-11-21-csv";

  void SetUp() override {
    source_ = MakeWorkRepository("source");
    WriteFile(source_ + "/src/app.py", "one\ntwo\nthree\nfour\nfive\n");
    WriteFile(source_ + "/src/util.py", "def util():\n    return 1\n");
    WriteFile(source_ + "/README.md", "# Shop\n");
    CommitAll(source_, "start");
    models_server_ = rpc::Server::Start({.address = "unix:" + directory_.File("models.sock"),
                                         .services = {&models_}})
                         .value();
    StartReviewer();
  }

  void StartReviewer() {
    server_ = nullptr;
    server_ = Server::Start(Config(), {clock_, ids_}).value();
    const std::shared_ptr<grpc::Channel> channel = rpc::MakeChannel(server_->address());
    reviewer_ = v1::ReviewerService::NewStub(channel);
    repository_ = repository::v1::RepositoryService::NewStub(channel);
    events_ = events::v1::EventLogService::NewStub(channel);
  }

  config::v1::ReviewerConfig Config() {
    config::v1::ReviewerConfig config;
    *config.mutable_merge_queue() = merge_queue_;
    config.mutable_listen()->set_address("unix:" + directory_.File("reviewer.sock"));
    config.set_database(directory_.File("reviewer.db"));
    config.set_repository_directory(directory_.File("mirrors"));
    config.set_models_address("unix:" + directory_.File("models.sock"));
    config.add_validator_programs("make");
    config.add_repository_roots(directory_.path());
    return config;
  }

  std::string mirror() { return directory_.File("mirrors/shop.git"); }
  std::string source_head() { return Git(source_, {"rev-parse", "main"}); }
  std::string plan_tip() { return Git(mirror(), {"rev-parse", "plan/2026-11-21-csv"}); }
  std::string TreeOf(const std::string& directory, const std::string& commit) {
    return Git(directory, {"rev-parse", commit + "^{tree}"});
  }

  static std::string Attempt(const std::string& task, int epoch) {
    return absl::StrCat(kPlan, "/tasks/", task, "/attempts/", epoch);
  }

  absl::StatusOr<repository::v1::OpenPlanResponse> OpenPlan(
      const common::v1::ProjectPolicy& policy = {}) {
    repository::v1::OpenPlanRequest request;
    request.set_plan(kPlan);
    request.set_location(source_);
    request.set_target_branch("main");
    request.set_branch("plan/2026-11-21-csv");
    *request.mutable_policy() = policy;
    return rpc::CallUnary(*repository_, &RepositoryStub::OpenPlan, request, Patiently());
  }

  // What an agent hands in: the changes that `edit` makes to a work tree of `base`.
  std::string PatchOf(const std::string& base,
                      const std::function<void(const std::string&)>& edit) {
    const std::string work = directory_.File(absl::StrCat("agent-", ++agents_));
    Git(directory_.path(), {"clone", "-q", "--no-checkout", mirror(), work});
    Git(work, {"checkout", "-q", "--detach", base});
    edit(work);
    Git(work, {"add", "-A"});
    expected_tree_ = Git(work, {"write-tree"});
    return RunGit(work, {"diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", base,
                         expected_tree_})
        .out;
  }

  v1::InspectRequest InspectionOf(const std::string& task, int epoch, const std::string& base,
                                  const std::string& patch) {
    v1::InspectRequest request;
    request.set_attempt(Attempt(task, epoch));
    request.set_epoch(epoch);
    request.set_base_commit(base);
    request.set_patch(patch);
    request.set_title("Change " + task);
    return request;
  }

  absl::StatusOr<v1::InspectResponse> Inspect(const v1::InspectRequest& request) {
    return rpc::CallUnary(*reviewer_, &ReviewerStub::Inspect, request, Patiently());
  }

  // Inspects a change that must be accepted.
  v1::InspectResponse Submit(const std::string& task, int epoch, const std::string& base,
                             const std::function<void(const std::string&)>& edit) {
    const absl::StatusOr<v1::InspectResponse> response =
        Inspect(InspectionOf(task, epoch, base, PatchOf(base, edit)));
    EXPECT_OK(response);
    EXPECT_TRUE(response.ok() && response->has_accepted())
        << (response.ok() ? response->ShortDebugString() : "");
    return response.value_or(v1::InspectResponse());
  }

  absl::StatusOr<v1::CreateCandidateResponse> Build(const std::string& attempt,
                                                    const std::vector<std::string>& queue = {}) {
    v1::CreateCandidateRequest request;
    request.set_attempt(attempt);
    request.mutable_queue()->Assign(queue.begin(), queue.end());
    return rpc::CallUnary(*reviewer_, &ReviewerStub::CreateCandidate, request, Patiently());
  }

  absl::StatusOr<v1::CreateCandidateResponse> BuildIntegration() {
    v1::CreateCandidateRequest request;
    request.set_plan(kPlan);
    return rpc::CallUnary(*reviewer_, &ReviewerStub::CreateCandidate, request, Patiently());
  }

  static v1::RecordEvidenceRequest EvidenceOf(const v1::Candidate& candidate, bool passed,
                                              const std::string& attempt) {
    v1::RecordEvidenceRequest request;
    request.set_candidate(candidate.name());
    request.set_tree(candidate.tree());
    request.set_validator_digest(candidate.validator_digest());
    request.set_attempt(attempt);
    v1::ValidatorResult& result = *request.add_results();
    result.set_validator("unit-tests");
    result.set_passed(passed);
    result.set_exit_code(passed ? 0 : 2);
    if (!passed) {
      result.add_failures("test_totals");
      result.set_output_tail("assert 1 == 2\n");
    }
    return request;
  }

  absl::StatusOr<v1::RecordEvidenceResponse> Record(const v1::RecordEvidenceRequest& request) {
    return rpc::CallUnary(*reviewer_, &ReviewerStub::RecordEvidence, request, Patiently());
  }
  absl::StatusOr<v1::RecordEvidenceResponse> Record(const v1::Candidate& candidate, bool passed,
                                                    const std::string& attempt) {
    return Record(EvidenceOf(candidate, passed, attempt));
  }

  absl::StatusOr<v1::JudgeResponse> Judge(const v1::Candidate& candidate, int round = 1,
                                          bool critical = false) {
    v1::JudgeRequest request;
    request.set_candidate(candidate.name());
    request.set_title("Import CSV");
    request.set_description("Read a file of records.");
    request.add_acceptance("totals are exact");
    request.set_critical(critical);
    request.set_round(round);
    return rpc::CallUnary(*reviewer_, &ReviewerStub::Judge, request, Patiently());
  }

  absl::StatusOr<v1::MergeResponse> Merge(const std::string& candidate,
                                          const std::string& approver = "",
                                          const std::vector<std::string>& queue = {}) {
    v1::MergeRequest request;
    request.mutable_queue()->Assign(queue.begin(), queue.end());
    request.set_candidate(candidate);
    request.set_approver(approver);
    return rpc::CallUnary(*reviewer_, &ReviewerStub::Merge, request, Patiently());
  }

  // Takes an accepted attempt to the plan's branch; returns its candidate.
  v1::Candidate Land(const std::string& attempt) {
    const absl::StatusOr<v1::CreateCandidateResponse> built = Build(attempt);
    EXPECT_OK(built);
    const v1::Candidate candidate = built.ok() ? built->candidate() : v1::Candidate();
    EXPECT_OK(Judge(candidate));
    EXPECT_OK(Merge(candidate.name()));
    return candidate;
  }

  std::vector<events::v1::Event> Events(const std::string& kind) {
    events::v1::ListEventsRequest request;
    request.set_page_size(500);
    if (!kind.empty()) request.mutable_filter()->add_kinds(kind);
    const absl::StatusOr<events::v1::ListEventsResponse> response = rpc::CallUnary(
        *events_, &events::v1::EventLogService::StubInterface::ListEvents, request, Patiently());
    EXPECT_OK(response);
    if (!response.ok()) return {};
    return {response->events().begin(), response->events().end()};
  }

  // The machine may be busy with other tests.
  static rpc::CallOptions Patiently() { return {.timeout = absl::Seconds(60)}; }

  static common::v1::ProjectPolicy WithValidator() {
    common::v1::ProjectPolicy policy;
    common::v1::Validator& validator = *policy.add_validators();
    validator.set_name("unit-tests");
    validator.add_command("make");
    validator.add_command("test");
    return policy;
  }

  static common::v1::ProjectPolicy WithMode(common::v1::IntegrationPolicy::Mode mode) {
    common::v1::ProjectPolicy policy;
    policy.mutable_integration()->set_mode(mode);
    return policy;
  }

  config::v1::MergeQueue merge_queue_;
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  FakeModels models_;
  std::string source_;
  std::string expected_tree_;  // Of the last PatchOf.
  int agents_ = 0;
  std::unique_ptr<rpc::Server> models_server_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<ReviewerStub> reviewer_;
  std::unique_ptr<RepositoryStub> repository_;
  std::unique_ptr<events::v1::EventLogService::StubInterface> events_;
};

}  // namespace slipway::reviewer
