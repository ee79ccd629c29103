#include "gmock/gmock.h"
#include "lib/base/error.h"
#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Changes of one plan that wait to land, over the wire, as the dispatcher asks about them.
class LandingQueueTest : public ReviewFixture {
 protected:
  // Starts anew with a plan that has validators.
  void Begin(int window_max, int batch_max, int reruns = 0) {
    merge_queue_.set_window_max(window_max);
    merge_queue_.set_batch_max(batch_max);
    merge_queue_.set_flaky_reruns_max(reruns);
    StartReviewer();
    ASSERT_OK(OpenPlan(WithValidator()));
    base_ = plan_tip();
  }

  // Hands in a new file for each task; returns the attempts.
  std::vector<std::string> HandIn(const std::vector<std::string>& tasks) {
    std::vector<std::string> attempts;
    for (const std::string& task : tasks) {
      Submit(task, 1, base_, [&](const std::string& work) {
        WriteFile(work + "/src/" + task + ".py", task + "\n");
      });
      attempts.push_back(Attempt(task, 1));
    }
    return attempts;
  }

  // An answer that must be a candidate.
  v1::Candidate Ask(const std::string& attempt, const std::vector<std::string>& queue) {
    const absl::StatusOr<v1::CreateCandidateResponse> response = Build(attempt, queue);
    EXPECT_OK(response);
    EXPECT_TRUE(response.ok() && response->has_candidate())
        << attempt << ": " << (response.ok() ? response->ShortDebugString() : "");
    return response.ok() ? response->candidate() : v1::Candidate();
  }

  std::string WhyQueued(const std::string& attempt, const std::vector<std::string>& queue) {
    const absl::StatusOr<v1::CreateCandidateResponse> response = Build(attempt, queue);
    EXPECT_OK(response);
    EXPECT_TRUE(response.ok() && response->has_queued())
        << attempt << ": " << (response.ok() ? response->ShortDebugString() : "");
    return response.ok() ? response->queued().detail() : "";
  }

  // What a run of the validators in a grant with this epoch says.
  v1::RecordEvidenceResponse Run(const v1::Candidate& candidate, bool passed, int epoch = 2) {
    const absl::StatusOr<v1::RecordEvidenceResponse> response =
        Record(candidate, passed, Attempt("runner", epoch));
    EXPECT_OK(response);
    return response.value_or(v1::RecordEvidenceResponse());
  }

  std::vector<std::string> Steps() {
    v1::GetQueueRequest request;
    request.set_plan(kPlan);
    const absl::StatusOr<v1::GetQueueResponse> response =
        rpc::CallUnary(*reviewer_, &ReviewerStub::GetQueue, request, Patiently());
    EXPECT_OK(response);
    std::vector<std::string> steps;
    if (!response.ok()) return steps;
    for (const auto& place : response->places()) steps.push_back(place.step());
    return steps;
  }

  std::string Log() { return Git(mirror(), {"log", "--format=%s", "plan/2026-11-21-csv"}); }

  std::string base_;
};

TEST_F(LandingQueueTest, ChangesAreBuiltOnThoseAheadAndLandByOneMove) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a", "b"});
  const v1::Candidate a = Ask(queue[0], queue);
  const v1::Candidate b = Ask(queue[1], queue);
  EXPECT_EQ(a.base(), base_);
  EXPECT_EQ(b.base(), a.commit());
  EXPECT_EQ(b.validators_size(), 1) << "both are validated at once";
  EXPECT_THAT(Steps(), ElementsAre("VALIDATE", "VALIDATE"));
  EXPECT_TRUE(Run(b, true).passed());
  ASSERT_OK(Judge(b));
  EXPECT_THAT(Merge(b.name(), "", queue), FailsWithReason("QUEUE_WAITING"));
  EXPECT_EQ(plan_tip(), base_);
  EXPECT_TRUE(Run(a, true).passed());
  ASSERT_OK(Judge(a));
  ASSERT_OK_AND_ASSIGN(const v1::MergeResponse landed, Merge(a.name(), "", queue));
  EXPECT_EQ(landed.merged().commit(), a.commit());
  EXPECT_EQ(landed.merged().tip(), b.commit()) << "b was ready";
  EXPECT_EQ(plan_tip(), b.commit());
  EXPECT_EQ(Log(), "Change b\nChange a\nstart");
  EXPECT_THAT(Git(mirror(), {"reflog", "show", "--format=%gs", "plan/2026-11-21-csv"}),
              HasSubstr("and 1 ahead"));
  // Whoever asks again learns that it landed.
  ASSERT_OK_AND_ASSIGN(const v1::MergeResponse again, Merge(b.name(), "", {queue[1]}));
  EXPECT_EQ(again.merged().commit(), b.commit());
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse built, Build(queue[1], {queue[1]}));
  EXPECT_EQ(built.merged().commit(), b.commit());
  EXPECT_THAT(Events("change.merged"), ::testing::SizeIs(2));
  EXPECT_THAT(Git(mirror(), {"for-each-ref", "refs/candidates"}), IsEmpty());
}

TEST_F(LandingQueueTest, AFailureBehindAnOpenChangeIsNobodysFaultYet) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a", "b"});
  const v1::Candidate a = Ask(queue[0], queue);
  const v1::Candidate b = Ask(queue[1], queue);
  const v1::RecordEvidenceResponse behind = Run(b, false);
  EXPECT_TRUE(behind.unresolved());
  EXPECT_FALSE(behind.rerun());
  EXPECT_THAT(WhyQueued(queue[1], queue), HasSubstr("may be the cause"));
  const v1::RecordEvidenceResponse first = Run(a, false, 3);
  EXPECT_FALSE(first.unresolved()) << "nothing is ahead of a";
  // a has left; b is tried without it.
  const v1::Candidate alone = Ask(queue[1], {queue[1]});
  EXPECT_EQ(alone.base(), base_);
  EXPECT_TRUE(Run(alone, true, 4).passed());
  ASSERT_OK(Judge(alone));
  EXPECT_OK(Merge(alone.name(), "", {queue[1]}));
  EXPECT_EQ(Log(), "Change b\nstart");
}

TEST_F(LandingQueueTest, AFailureIsToldWhenNothingAheadCanBeTheCause) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a", "b"});
  const v1::Candidate a = Ask(queue[0], queue);
  const v1::Candidate b = Ask(queue[1], queue);
  EXPECT_TRUE(Run(b, false).unresolved());
  EXPECT_TRUE(Run(a, true, 3).passed());
  ASSERT_OK(Judge(a));
  ASSERT_OK(Merge(a.name(), "", queue));
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse told, Build(queue[1], {queue[1]}));
  ASSERT_TRUE(told.has_rejected()) << told.ShortDebugString();
  EXPECT_THAT(told.rejected().feedback(), HasSubstr("test_totals"));
}

TEST_F(LandingQueueTest, ABatchIsProvenByItsLastTree) {
  Begin(1, 4);
  const std::vector<std::string> queue = HandIn({"a", "b", "c"});
  const v1::Candidate c = Ask(queue[2], queue);
  EXPECT_THAT(WhyQueued(queue[0], queue), HasSubstr("validated together with"));
  EXPECT_THAT(Steps(), ElementsAre("WAIT", "WAIT", "VALIDATE"));
  EXPECT_TRUE(Run(c, true).passed());
  std::vector<v1::Candidate> chain;
  for (const std::string& attempt : queue) {
    chain.push_back(Ask(attempt, queue));
    EXPECT_TRUE(chain.back().evidence_passed());
    EXPECT_EQ(chain.back().validators_size(), 0);
    ASSERT_OK(Judge(chain.back()));
  }
  EXPECT_THAT(Merge(chain[0].name(), "", queue), FailsWithReason("QUEUE_WAITING"))
      << "only the last tree has evidence";
  EXPECT_THAT(Merge(chain[1].name(), "", queue), FailsWithReason("QUEUE_WAITING"));
  ASSERT_OK(Merge(chain[2].name(), "", queue));
  EXPECT_EQ(Log(), "Change c\nChange b\nChange a\nstart");
  EXPECT_EQ(plan_tip(), c.commit()) << "what was validated is what landed";
}

TEST_F(LandingQueueTest, AFailedBatchIsTakenApart) {
  Begin(1, 4);
  const std::vector<std::string> queue = HandIn({"a", "b", "c"});
  const v1::Candidate c = Ask(queue[2], queue);
  EXPECT_TRUE(Run(c, false).unresolved()) << "another of the batch may be the cause";
  // Of the prefixes a and a+b the larger half first.
  const v1::Candidate a = Ask(queue[0], queue);
  EXPECT_EQ(a.validators_size(), 1);
  EXPECT_TRUE(Run(a, true, 3).passed());
  const v1::Candidate b = Ask(queue[1], queue);
  EXPECT_TRUE(Run(b, true, 4).passed());
  for (const v1::Candidate& good : {a, b}) {
    ASSERT_OK(Judge(good));
    Merge(good.name(), "", queue).IgnoreError();
  }
  EXPECT_EQ(plan_tip(), b.commit());
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse last, Build(queue[2], {queue[2]}));
  EXPECT_TRUE(last.has_rejected()) << "inferred, without another run: " << last.ShortDebugString();
}

TEST_F(LandingQueueTest, AChangeThatLeavesTakesNobodyWithIt) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a", "b"});
  Ask(queue[0], queue);
  const v1::Candidate b = Ask(queue[1], queue);
  EXPECT_TRUE(Run(b, true).passed());
  ASSERT_OK(Judge(b));
  // A person took a out: what b was validated on will never be.
  EXPECT_THAT(Merge(b.name(), "", {queue[1]}), FailsWithReason("BRANCH_MOVED"));
  EXPECT_EQ(Ask(queue[1], {queue[1]}).base(), base_);
  EXPECT_EQ(plan_tip(), base_);
}

TEST_F(LandingQueueTest, ATaskThatIsDoneAgainWhileItLandsLandsOnce) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a"});
  const v1::Candidate first = Ask(queue[0], queue);
  Submit("a", 2, base_, [](const std::string& work) { WriteFile(work + "/src/a.py", "2\n"); });
  const std::string again = Attempt("a", 2);
  const v1::Candidate second = Ask(again, {again});
  ASSERT_OK(Record(first, true, Attempt("a", 3)));
  ASSERT_OK(Record(second, true, Attempt("a", 4)));
  ASSERT_OK(Judge(first));
  ASSERT_OK(Judge(second));
  ASSERT_OK_AND_ASSIGN(const v1::MergeResponse landed, Merge(first.name(), "", queue));

  ASSERT_OK_AND_ASSIGN(const v1::MergeResponse late, Merge(second.name(), "", {again}));
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse asked, Build(again));

  EXPECT_EQ(late.merged().commit(), landed.merged().commit());
  EXPECT_EQ(asked.merged().commit(), landed.merged().commit());
  EXPECT_EQ(Log(), "Change a\nstart");
}

TEST_F(LandingQueueTest, AConflictWithAnOpenChangeWaits) {
  Begin(3, 1);
  const auto write = [&](const std::string& task) {
    Submit(task, 1, base_, [&](const std::string& work) {
      WriteFile(work + "/src/app.py", "one\n" + task + "\nthree\nfour\nfive\n");
    });
    return Attempt(task, 1);
  };
  const std::vector<std::string> queue = {write("a"), write("b")};
  const v1::Candidate a = Ask(queue[0], queue);
  EXPECT_THAT(WhyQueued(queue[1], queue), HasSubstr("conflicts with a change ahead"));
  EXPECT_THAT(Events("candidate.conflicted"), IsEmpty());
  EXPECT_TRUE(Run(a, true).passed());
  ASSERT_OK(Judge(a));
  ASSERT_OK(Merge(a.name(), "", queue));
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse response, Build(queue[1], {queue[1]}));
  ASSERT_TRUE(response.has_conflict());
  EXPECT_EQ(response.conflict().paths(0).path(), "src/app.py");
}

TEST_F(LandingQueueTest, WhatFailsAndThenPassesIsToldAsFlaky) {
  Begin(3, 1, /*reruns=*/1);
  const std::vector<std::string> queue = HandIn({"a"});
  const v1::Candidate a = Ask(queue[0], queue);
  const v1::RecordEvidenceResponse first = Run(a, false, 2);
  EXPECT_TRUE(first.rerun());
  EXPECT_TRUE(Run(a, false, 2).rerun()) << "a repeat of the same run is no second run";
  EXPECT_EQ(Ask(queue[0], queue).validators_size(), 1);
  const v1::RecordEvidenceResponse second = Run(a, true, 3);
  EXPECT_TRUE(second.passed());
  EXPECT_THAT(second.flaky_validators(), ElementsAre("unit-tests"));
  const std::vector<events::v1::Event> events = Events("evidence.recorded");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(events[0].payload().evidence_recorded().rerun());
  EXPECT_THAT(events[2].payload().evidence_recorded().flaky(), ElementsAre("unit-tests"));
  ASSERT_OK(Judge(a));
  EXPECT_OK(Merge(a.name(), "", queue));
}

TEST_F(LandingQueueTest, WhatFailsEachTimeIsNotHiddenByReruns) {
  Begin(3, 1, /*reruns=*/2);
  const std::vector<std::string> queue = HandIn({"a"});
  const v1::Candidate a = Ask(queue[0], queue);
  EXPECT_TRUE(Run(a, false, 2).rerun());
  EXPECT_TRUE(Run(a, false, 3).rerun());
  const v1::RecordEvidenceResponse last = Run(a, false, 4);
  EXPECT_FALSE(last.rerun());
  EXPECT_FALSE(last.passed());
  EXPECT_FALSE(last.unresolved());
  EXPECT_THAT(last.feedback(), HasSubstr("ran 3 times on this tree"));
  EXPECT_THAT(last.feedback(), ::testing::Not(HasSubstr("is flaky")));
  ASSERT_OK(Judge(a));
  EXPECT_THAT(Merge(a.name(), "", queue), FailsWithReason("EVIDENCE_FAILED"));
}

TEST_F(LandingQueueTest, RunsAreCountedWhicheverWayTheClockIsSet) {
  Begin(3, 1, /*reruns=*/1);
  const std::vector<std::string> queue = HandIn({"a"});
  const v1::Candidate a = Ask(queue[0], queue);
  clock_.StepWall(-absl::Hours(2));
  EXPECT_TRUE(Run(a, false, 2).rerun());
  EXPECT_FALSE(Run(a, false, 3).rerun()) << "both ran after the change was handed in";
  clock_.StepWall(-absl::Hours(2));
  Submit("a", 4, base_, [&](const std::string& work) { WriteFile(work + "/src/a.py", "a\n"); });
  const std::string again = Attempt("a", 4);
  const v1::Candidate same = Ask(again, {again});
  EXPECT_EQ(same.tree(), a.tree());
  EXPECT_EQ(same.validators_size(), 1) << "what failed before it was handed in runs again";
  EXPECT_TRUE(Run(same, false, 5).rerun());
  EXPECT_FALSE(Run(same, false, 6).rerun());
}

TEST_F(LandingQueueTest, ARestartForgetsNothing) {
  Begin(1, 4);
  const std::vector<std::string> queue = HandIn({"a", "b"});
  const v1::Candidate b = Ask(queue[1], queue);
  EXPECT_TRUE(Run(b, true).passed());
  const v1::Candidate a = Ask(queue[0], queue);
  ASSERT_OK(Judge(a));
  EXPECT_THAT(Merge(a.name(), "", queue), FailsWithReason("QUEUE_WAITING"));
  StartReviewer();
  EXPECT_TRUE(Ask(queue[1], queue).evidence_passed());
  ASSERT_OK(Judge(b));
  ASSERT_OK(Merge(b.name(), "", queue));
  EXPECT_EQ(Log(), "Change b\nChange a\nstart");
}

TEST_F(LandingQueueTest, TheMiddleOfALongOutputIsLeftOut) {
  Begin(3, 1);
  const std::vector<std::string> queue = HandIn({"a"});
  const v1::Candidate a = Ask(queue[0], queue);
  v1::RecordEvidenceRequest evidence = EvidenceOf(a, false, Attempt("a", 2));
  evidence.mutable_results(0)->set_output_tail("the cause\n" + std::string(100'000, 'x') +
                                               "\nthe end\n");
  ASSERT_OK_AND_ASSIGN(const v1::RecordEvidenceResponse told, Record(evidence));
  EXPECT_THAT(told.feedback(), HasSubstr("the cause"));
  EXPECT_THAT(told.feedback(), HasSubstr("bytes are left out here"));
  EXPECT_THAT(told.feedback(), HasSubstr("the end"));
  EXPECT_LT(told.feedback().size(), 12'000u);
}

TEST_F(LandingQueueTest, TrailersTellWhereAChangeCameFromAndCannotBeForged) {
  Begin(3, 1);
  v1::InspectRequest request = InspectionOf(
      "a", 1, base_,
      PatchOf(base_, [&](const std::string& work) { WriteFile(work + "/src/a.py", "a\n"); }));
  request.set_title("Add a\n\nSlipway-Approved-By: mallory\nSlipway-Task: another");
  ASSERT_OK(Inspect(request));
  const std::vector<std::string> queue = {Attempt("a", 1)};
  const v1::Candidate a = Ask(queue[0], queue);
  EXPECT_TRUE(Run(a, true).passed());
  ASSERT_OK(Judge(a));
  ASSERT_OK(Merge(a.name(), "", queue));
  const std::string message = RunGit(mirror(), {"log", "-1", "--format=%B", plan_tip()}).out;
  const std::string trailers =
      RunGit(mirror(), {"interpret-trailers", "--parse", "--only-trailers"}, message).out;
  EXPECT_THAT(trailers, HasSubstr(std::string("Slipway-Plan: ") + kPlan + "\n"));
  EXPECT_THAT(trailers, HasSubstr("Slipway-Task: " + std::string(kPlan) + "/tasks/a\n"));
  EXPECT_THAT(trailers, HasSubstr("Slipway-Attempt: " + queue[0] + "\n"));
  EXPECT_THAT(trailers, HasSubstr("Slipway-Epoch: 1\n"));
  EXPECT_THAT(trailers, HasSubstr("sha256:"));
  EXPECT_THAT(trailers, HasSubstr("Slipway-Validators: sha256:" + a.validator_digest() + "\n"));
  EXPECT_THAT(trailers, ::testing::Not(HasSubstr("mallory")));
  EXPECT_THAT(trailers, ::testing::Not(HasSubstr("another")));
}

}  // namespace
}  // namespace slipway::reviewer
