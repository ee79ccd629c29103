#include "services/reviewer/domain/merge_queue.h"

#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::reviewer {
namespace {

using ::testing::ElementsAre;

// Candidates are named by what is in them: "a.b" is the change b on the change a on the start.
class FakeFacts final : public QueueFacts {
 public:
  absl::StatusOr<std::optional<QueueFact>> Find(const std::string& change,
                                                const std::string& base) override {
    const auto found = facts.find(absl::StrCat(base, ".", change));
    if (found == facts.end()) return std::optional<QueueFact>();
    return found->second;
  }

  void Put(const std::string& commit, const std::string& group, Proof proof, bool ready = false) {
    facts[commit] = {.commit = commit, .group = group, .proof = proof, .ready = ready};
  }

  std::map<std::string, QueueFact> facts;
};

class MergeQueueTest : public ::testing::Test {
 protected:
  QueuePlan Decide(const std::vector<std::string>& order, int window = 3, double rate = 0.05) {
    return PlanQueue(facts_, "", order, {.window_max = 8, .batch_max = 8},
                     {.failure_rate = rate, .window = window})
        .value();
  }

  static std::string Steps(const QueuePlan& plan) {
    return absl::StrJoin(plan.places, " ", [](std::string* out, const QueuePlace& place) {
      absl::StrAppend(out, place.change, ":", NameOf(place.step));
    });
  }

  FakeFacts facts_;
};

TEST_F(MergeQueueTest, BatchesHaveTheSizeOfTheFewestValidations) {
  EXPECT_EQ(BestBatchSize(0.01, 64), 11);
  EXPECT_EQ(BestBatchSize(0.02, 64), 8);
  EXPECT_EQ(BestBatchSize(0.05, 64), 5);
  EXPECT_EQ(BestBatchSize(0.10, 64), 4);
  EXPECT_EQ(BestBatchSize(0.20, 64), 3);
  EXPECT_EQ(BestBatchSize(0.32, 64), 1) << "a batch never pays";
  EXPECT_EQ(BestBatchSize(0.05, 3), 3);
}

TEST_F(MergeQueueTest, TheWindowGrowsWithLandingsAndHalvesWithRejections) {
  const QueueSettings settings{.window_max = 6};
  EXPECT_EQ(MeasureOf({}, settings).window, 3);
  EXPECT_EQ(MeasureOf({true, true}, settings).window, 5);
  EXPECT_EQ(MeasureOf(QueueOutcomes(20, true), settings).window, 6);
  EXPECT_EQ(MeasureOf({true, true, false}, settings).window, 2);
  EXPECT_EQ(MeasureOf({false, false, false, false}, settings).window, 1);
}

TEST_F(MergeQueueTest, TheFailureRateFollowsWhatWasSeen) {
  EXPECT_DOUBLE_EQ(MeasureOf({}, {}).failure_rate, 0.1);
  EXPECT_LT(MeasureOf(QueueOutcomes(60, true), {}).failure_rate, 0.05);
  EXPECT_GT(MeasureOf(QueueOutcomes(60, false), {}).failure_rate, 0.6);
  QueueOutcomes recovered(20, false);
  recovered.insert(recovered.end(), 60, true);
  EXPECT_LT(MeasureOf(recovered, {}).failure_rate, 0.1) << "what is long past weighs little";
}

TEST_F(MergeQueueTest, EachChangeIsBuiltOnThoseAheadOfIt) {
  const QueuePlan first = Decide({"a", "b"});
  EXPECT_EQ(Steps(first), "a:BUILD b:WAIT");
  EXPECT_EQ(first.places[0].base, "");
  facts_.Put(".a", "a", Proof::kMissing);
  const QueuePlan second = Decide({"a", "b"});
  EXPECT_EQ(Steps(second), "a:VALIDATE b:BUILD");
  EXPECT_EQ(second.places[1].base, ".a");
  facts_.Put(".a.b", "b", Proof::kMissing);
  EXPECT_EQ(Steps(Decide({"a", "b"})), "a:VALIDATE b:VALIDATE");
}

TEST_F(MergeQueueTest, AFullWindowMakesTheRestWait) {
  facts_.Put(".a", "a", Proof::kMissing);
  facts_.Put(".a.b", "b", Proof::kMissing);
  EXPECT_EQ(Steps(Decide({"a", "b", "c"}, 2)), "a:VALIDATE b:VALIDATE c:WAIT");
  facts_.Put(".a", "a", Proof::kPassed);
  EXPECT_EQ(Steps(Decide({"a", "b", "c"}, 2)), "a:PROVEN b:VALIDATE c:BUILD");
}

TEST_F(MergeQueueTest, MoreChangesThanSlotsAreBatched) {
  facts_.Put(".a", "a", Proof::kMissing);
  // Six wait for one slot; five at once need the fewest validations at 5 %.
  const QueuePlan plan = Decide({"a", "b", "c", "d", "e", "f", "g"}, 2);
  EXPECT_EQ(Steps(plan), "a:VALIDATE b:BUILD c:BUILD d:BUILD e:BUILD f:BUILD g:WAIT");
  EXPECT_EQ(plan.places[1].group, plan.places[5].group);
  EXPECT_EQ(Steps(Decide({"a", "b", "c", "d"}, 2, 0.4)), "a:VALIDATE b:BUILD c:WAIT d:WAIT")
      << "at 40 % no batch pays";
}

TEST_F(MergeQueueTest, TheLastOfABatchIsValidatedForAll) {
  facts_.Put(".a", "g", Proof::kMissing);
  facts_.Put(".a.b", "g", Proof::kMissing);
  facts_.Put(".a.b.c", "g", Proof::kMissing);
  EXPECT_EQ(Steps(Decide({"a", "b", "c"})), "a:WAIT b:WAIT c:VALIDATE");
  // The last was taken out by a person: the one before decides.
  EXPECT_EQ(Steps(Decide({"a", "b"})), "a:WAIT b:VALIDATE");
  facts_.Put(".a.b.c", "g", Proof::kPassed, true);
  facts_.Put(".a", "g", Proof::kMissing, true);
  QueuePlan plan = Decide({"a", "b", "c"});
  EXPECT_EQ(Steps(plan), "a:PROVEN b:PROVEN c:PROVEN");
  EXPECT_EQ(plan.landing, 0u) << "b is not ready, and the trees of a and b have no evidence";
  facts_.Put(".a.b", "g", Proof::kMissing, true);
  EXPECT_EQ(Decide({"a", "b", "c"}).landing, 3u);
}

TEST_F(MergeQueueTest, AFailedBatchIsHalvedUntilOneIsLeft) {
  facts_.Put(".a", "g", Proof::kMissing);
  facts_.Put(".a.b", "g", Proof::kMissing);
  facts_.Put(".a.b.c", "g", Proof::kMissing);
  facts_.Put(".a.b.c.d", "g", Proof::kFailed);
  EXPECT_EQ(Steps(Decide({"a", "b", "c", "d"}, 1)), "a:WAIT b:VALIDATE c:WAIT d:WAIT");
  EXPECT_EQ(Steps(Decide({"a", "b", "c", "d"}, 3)), "a:VALIDATE b:VALIDATE c:VALIDATE d:WAIT")
      << "as many parts at once as there are slots";
  facts_.Put(".a.b", "g", Proof::kPassed, true);
  facts_.Put(".a", "g", Proof::kMissing, true);
  QueuePlan plan = Decide({"a", "b", "c", "d"}, 1);
  EXPECT_EQ(Steps(plan), "a:PROVEN b:PROVEN c:VALIDATE d:WAIT");
  EXPECT_EQ(plan.landing, 2u) << "what is known to be good lands at once";
  facts_.Put(".a.b.c", "g", Proof::kPassed, true);
  EXPECT_EQ(Steps(Decide({"a", "b", "c", "d"}, 1)), "a:PROVEN b:PROVEN c:PROVEN d:WAIT");
  // They have landed: d is inferred, nothing of it runs again.
  const QueuePlan last =
      PlanQueue(facts_, ".a.b.c", {"d"}, {}, {.failure_rate = 0.05, .window = 1}).value();
  EXPECT_EQ(Steps(last), "d:REJECT");
}

TEST_F(MergeQueueTest, NothingIsRejectedOnAChainThatIsNotResolved) {
  facts_.Put(".a", "a", Proof::kMissing);
  facts_.Put(".a.b", "b", Proof::kFailed);
  EXPECT_EQ(Steps(Decide({"a", "b", "c"})), "a:VALIDATE b:WAIT c:BUILD");
  EXPECT_EQ(Decide({"a", "b", "c"}).places[2].base, ".a") << "c goes on without b";
  facts_.Put(".a", "a", Proof::kFailed);
  EXPECT_EQ(Steps(Decide({"a", "b", "c"})), "a:REJECT b:BUILD c:WAIT");
  EXPECT_EQ(Decide({"a", "b", "c"}).places[1].base, "") << "b is tried without a";
}

TEST_F(MergeQueueTest, AConflictCountsOnlyWithWhatHasLanded) {
  facts_.Put(".a", "a", Proof::kMissing);
  facts_.facts[".a.b"] = {.conflicts = true};
  EXPECT_EQ(Steps(Decide({"a", "b", "c"})), "a:VALIDATE b:WAIT c:BUILD");
  facts_.facts[".b"] = {.conflicts = true};
  EXPECT_EQ(Steps(Decide({"b", "a"})), "b:CONFLICT a:VALIDATE");
}

TEST_F(MergeQueueTest, AChangeThatIsNotReadyHoldsUpThoseBehindIt) {
  facts_.Put(".a", "a", Proof::kPassed);
  facts_.Put(".a.b", "b", Proof::kPassed, true);
  EXPECT_EQ(Decide({"a", "b"}).landing, 0u);
  facts_.Put(".a", "a", Proof::kPassed, true);
  EXPECT_EQ(Decide({"a", "b"}).landing, 2u);
}

TEST_F(MergeQueueTest, AGreenTreeFurtherOnOutweighsARedOneBefore) {
  facts_.Put(".a", "g", Proof::kFailed);
  facts_.Put(".a.b", "g", Proof::kPassed);
  EXPECT_EQ(Steps(Decide({"a", "b"})), "a:PROVEN b:PROVEN");
}

// A plan with everything around the queue made up: who hands in, validators, crashes. What is
// durable is in members that survive Crash().
class QueueWorld final : public QueueFacts {
 public:
  explicit QueueWorld(uint64_t seed) : random_(seed) {
    settings_ = {.window_max = 1 + Pick(5), .batch_max = 1 + Pick(8)};
    const int count = 1 + Pick(14);
    for (int i = 0; i < count; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      all_.push_back(name);
      if (Chance(12)) bad_.insert(name);
      for (int j = 0; j < i; ++j) {
        if (Chance(3)) conflicts_.insert(absl::StrCat(all_[j], name));
        if (Chance(3)) clashes_.insert(absl::StrCat(all_[j], name));
      }
    }
  }

  // Landing one by one, each validated on what landed before.
  std::string Expected() const {
    std::string branch;
    for (const std::string& change : all_) {
      if (Merges(change, branch) && IsGood(branch + change)) branch += change;
    }
    return branch;
  }

  void Run() {
    for (int step = 0; step < 20'000 && (handed_in_ < all_.size() || !live_.empty()); ++step) {
      if (handed_in_ < all_.size() && Chance(30)) live_.push_back(all_[handed_in_++]);
      if (Chance(5)) Crash();
      if (Chance(40)) FinishValidation();
      if (!live_.empty()) Ask(live_[Pick(static_cast<int>(live_.size()))]);
    }
    EXPECT_TRUE(live_.empty()) << "still in the queue: " << absl::StrJoin(live_, " ");
  }

  const std::string& branch() const { return tip_; }
  int validations() const { return validations_; }
  int crashes() const { return crashes_; }
  int flakes() const { return flakes_; }
  int batched() const { return batched_; }

  absl::StatusOr<std::optional<QueueFact>> Find(const std::string& change,
                                                const std::string& base) override {
    if (conflict_cache_.contains({change, base})) return QueueFact{.conflicts = true};
    const auto found = candidates_.find(base + change);
    if (found == candidates_.end()) return std::optional<QueueFact>();
    return QueueFact{.commit = base + change,
                     .group = found->second,
                     .proof = ProofOf(base + change),
                     .ready = ready_.contains(base + change)};
  }

 private:
  static constexpr int kReruns = 1;

  int Pick(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  bool Chance(int percent) { return Pick(100) < percent; }

  bool Merges(const std::string& change, const std::string& base) const {
    return std::none_of(base.begin(), base.end(), [&](char other) {
      return conflicts_.contains(absl::StrCat(std::string(1, other), change));
    });
  }

  bool IsGood(const std::string& tree) const {
    for (size_t i = 0; i < tree.size(); ++i) {
      if (bad_.contains(tree.substr(i, 1))) return false;
      for (size_t j = 0; j < i; ++j) {
        if (clashes_.contains(absl::StrCat(tree.substr(j, 1), tree.substr(i, 1)))) return false;
      }
    }
    return true;
  }

  Proof ProofOf(const std::string& tree) const {
    if (passed_.contains(tree)) return Proof::kPassed;
    const auto failures = failures_.find(tree);
    return failures != failures_.end() && failures->second > kReruns ? Proof::kFailed
                                                                     : Proof::kMissing;
  }

  QueuePlan Decide() {
    return PlanQueue(*this, tip_, live_, settings_, MeasureOf(outcomes_, settings_)).value();
  }

  QueuePlan BuildAndDecide() {
    for (int round = 0; round < 100; ++round) {
      QueuePlan plan = Decide();
      std::string base;
      int built = 0;
      for (const QueuePlace& place : plan.places) {
        if (place.step != QueueStep::kBuild) continue;
        if (built++ == 0) base = place.base;
        if (Chance(2)) return plan;  // Cut off in the middle.
        if (!Merges(place.change, base)) {
          conflict_cache_.insert({place.change, base});
          continue;
        }
        candidates_.emplace(base + place.change, place.group);
        base += place.change;
      }
      if (built == 0) return plan;
      if (built > 1) ++batched_;
    }
    ADD_FAILURE() << "the queue is built without end";
    return Decide();
  }

  // What the dispatcher does for one change.
  void Ask(const std::string& change) {
    const QueuePlan plan = BuildAndDecide();
    EXPECT_LE(plan.validating, std::max(1, settings_.window_max));
    for (size_t i = 0; i < plan.places.size(); ++i) {
      const QueuePlace& place = plan.places[i];
      if (place.change != change) continue;
      switch (place.step) {
        case QueueStep::kValidate:
          running_.insert(place.commit);
          break;
        case QueueStep::kReject:
          EXPECT_EQ(place.base, tip_) << "rejected on a chain that is not resolved";
          EXPECT_FALSE(IsGood(place.commit)) << change << " was rejected for another one's fault";
          Leave(change, false);
          break;
        case QueueStep::kConflict:
          EXPECT_FALSE(Merges(change, tip_)) << change << " was refused for another one's fault";
          std::erase(live_, change);
          break;
        case QueueStep::kProven:
          ready_.insert(place.commit);
          Land(change);
          break;
        case QueueStep::kWait:
        case QueueStep::kBuild:
          break;
      }
      return;
    }
  }

  void Land(const std::string& change) {
    const QueuePlan plan = Decide();
    std::vector<std::string> landing;
    std::string target = tip_;
    bool asked = false;
    for (size_t i = 0; i < plan.landing; ++i) {
      if (!plan.places[i].on_chain) continue;
      EXPECT_EQ(plan.places[i].base, target) << "a gap in the chain";
      landing.push_back(plan.places[i].change);
      target = plan.places[i].commit;
      asked = asked || plan.places[i].change == change;
    }
    if (!asked) return;
    intent_ = {tip_, target};
    intended_ = landing;
    if (Chance(10)) return Crash();  // Before the branch moves.
    tip_ = target;
    if (Chance(10)) return Crash();  // Before the landing is marked.
    Mark();
  }

  void Mark() {
    EXPECT_EQ(ProofOf(tip_), Proof::kPassed) << tip_ << " landed without evidence";
    for (const std::string& change : intended_) {
      EXPECT_TRUE(landed_.insert(change).second) << change << " landed twice";
      Leave(change, true);
    }
    intent_ = {};
    intended_.clear();
  }

  void Leave(const std::string& change, bool landed) {
    std::erase(live_, change);
    outcomes_.push_back(landed);
  }

  void FinishValidation() {
    if (running_.empty()) return;
    auto tree = running_.begin();
    std::advance(tree, Pick(static_cast<int>(running_.size())));
    ++validations_;
    const bool good = IsGood(*tree);
    // A flake, but not as often as to hide behind the budget.
    if (good && Chance(15) && failures_[*tree] < kReruns) {
      ++failures_[*tree];
      ++flakes_;
    } else if (good) {
      passed_.insert(*tree);
    } else {
      ++failures_[*tree];
    }
    running_.erase(tree);
  }

  // Everything in memory is gone; the intent is finished or abandoned by where the branch is.
  void Crash() {
    ++crashes_;
    running_.clear();
    conflict_cache_.clear();
    if (intended_.empty()) return;
    if (tip_ == intent_.first) tip_ = intent_.second;
    Mark();
  }

  std::mt19937_64 random_;
  QueueSettings settings_;
  std::vector<std::string> all_;
  std::set<std::string> bad_;
  std::set<std::string> conflicts_;  // Pairs that do not merge.
  std::set<std::string> clashes_;    // Pairs that merge, and fail together.
  size_t handed_in_ = 0;
  // Durable.
  std::vector<std::string> live_;
  std::string tip_;
  std::map<std::string, std::string> candidates_;  // Groups, by commit.
  std::set<std::string> passed_;
  std::map<std::string, int> failures_;
  std::set<std::string> ready_;
  std::set<std::string> landed_;
  QueueOutcomes outcomes_;
  std::pair<std::string, std::string> intent_;
  std::vector<std::string> intended_;
  // In memory.
  std::set<std::string> running_;
  std::set<std::pair<std::string, std::string>> conflict_cache_;
  int validations_ = 0;
  int crashes_ = 0;
  int flakes_ = 0;
  int batched_ = 0;
};

TEST(MergeQueuePropertyTest, TheBranchIsAsIfTheGoodChangesHadLandedOneByOne) {
  int crashes = 0;
  int flakes = 0;
  int batched = 0;
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    QueueWorld world(seed);
    world.Run();
    ASSERT_EQ(world.branch(), world.Expected());
    if (HasFailure()) return;
    crashes += world.crashes();
    flakes += world.flakes();
    batched += world.batched();
  }
  EXPECT_GT(crashes, 500);
  EXPECT_GT(flakes, 500);
  EXPECT_GT(batched, 100);
}

}  // namespace
}  // namespace slipway::reviewer
