// Whose turn it is in a whole dispatcher: limits as configured, what is said of those that wait,
// and what a restart keeps.
#include "services/dispatcher/server_settings.h"
#include "services/dispatcher/storage/sqlite_task_store.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class SchedulingTest : public ServerFixture {
 protected:
  size_t Granted() {
    size_t granted = 0;
    for (const auto& agent : agents_) granted += agent->grants().size();
    return granted;
  }
};

TEST_F(SchedulingTest, ATaskBeyondTheLimitOfItsPlanSaysSoAndRunsLater) {
  config_.mutable_scheduling()->set_plan_attempts_max(1);
  Restart();
  FakeAgent& first = AddAgent([](const auto&) { return std::nullopt; });
  ASSERT_OK(Submit(Plan({"a", "b", "c:a"})));
  ASSERT_TRUE(Eventually([&] { return first.grants().size() == 1; }));
  AddAgent();

  ASSERT_TRUE(
      Eventually([&] { return GetTask("b").wait().reason() == v1::Wait::REASON_PLAN_LIMIT; }));
  EXPECT_EQ(GetTask("b").wait().detail(), "its plan has 1 attempts at once, the most it may");
  EXPECT_FALSE(GetTask("a").has_wait());
  EXPECT_FALSE(GetTask("c").has_wait()) << "it is BLOCKED";
  EXPECT_THAT(GetRun().waits_by_reason(), UnorderedElementsAre(Pair("PLAN_LIMIT", 1)));

  ASSERT_OK(first.Submit(FakeAgent::Change(first.grants().front())).status());

  ExpectTask("b", v1::Task::STATE_MERGED);
  EXPECT_FALSE(GetTask("b").has_wait());
  EXPECT_THAT(GetRun().waits_by_reason(), IsEmpty());
}

TEST_F(SchedulingTest, ATaskWithoutAnAgentSaysSo) {
  ASSERT_OK(Submit(Plan({"a", "b"})));
  ASSERT_TRUE(Eventually([&] { return GetTask("a").has_wait(); }));
  EXPECT_EQ(GetTask("a").wait().reason(), v1::Wait::REASON_AGENT);
  EXPECT_THAT(GetRun().waits_by_reason(), UnorderedElementsAre(Pair("AGENT", 2)));
  v1::ListTasksRequest request;
  request.set_plan(GetRun().plan());
  const auto tasks = Call(&v1::DispatcherService::Stub::ListTasks, request);
  ASSERT_OK(tasks.status());
  EXPECT_EQ(tasks->tasks(1).wait().detail(), "no agent is free");
}

TEST_F(SchedulingTest, AHostHasNoMoreAttemptsThanSlotsHoweverManyAgentsDialIn) {
  for (int i = 0; i < 6; ++i) AddAgent([](const auto&) { return std::nullopt; });
  ASSERT_OK(Submit(Plan({"a", "b", "c", "d", "e", "f"})));
  ASSERT_TRUE(Eventually([&] { return Granted() == 4; }));
  ASSERT_TRUE(Eventually([&] { return GetRun().waits_by_reason().count("AGENT") > 0; }));
  EXPECT_EQ(GetRun().waits_by_reason().at("AGENT"), 2);
  EXPECT_EQ(Granted(), 4u);
}

TEST_F(SchedulingTest, AnOverlappingTaskLetsAnotherPass) {
  config_.mutable_hosts(0)->set_slots(2);
  Restart();
  v1::PlanSpec plan = Plan({"a", "b", "c"});
  plan.mutable_tasks(0)->add_allowed_paths("src/parse.cc");
  plan.mutable_tasks(0)->set_priority(9);
  plan.mutable_tasks(1)->add_allowed_paths("src/**");
  plan.mutable_tasks(1)->set_priority(8);
  plan.mutable_tasks(2)->add_allowed_paths("docs/**");
  ASSERT_OK(Submit(plan));
  FakeAgent& first = AddAgent([](const auto&) { return std::nullopt; });
  ASSERT_TRUE(Eventually([&] { return first.grants().size() == 1; }));
  FakeAgent& second = AddAgent([](const auto&) { return std::nullopt; });
  ASSERT_TRUE(Eventually([&] { return second.grants().size() == 1; }));

  EXPECT_THAT(second.grants().front().attempt(), HasSubstr("/tasks/c/"));
  ASSERT_TRUE(
      Eventually([&] { return GetTask("b").wait().reason() == v1::Wait::REASON_PATH_OVERLAP; }));
  EXPECT_EQ(GetTask("b").wait().detail(), "task a is likely to touch the same paths");
}

TEST_F(SchedulingTest, WhatProjectsUsedIsStoredAndReadAgain) {
  ledger_.RecordUsage("projects/demo", 1'500'000'000);
  ledger_.RecordUsage("projects/other", 2);
  AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  ASSERT_TRUE(Eventually([&] { return ledger_.tokens().size() == 1; }));
  agents_.clear();
  Restart();
  ledger_.RecordUsage("projects/demo", 500'000'000);
  const auto usage = [&] {
    server_.reset();
    std::vector<ProjectUsage> stored =
        SqliteTaskStore::Open(config_.database(), base::RealClock(), base::RandomIds())
            .value()
            ->Load()
            .value()
            .usage;
    server_ = StartServer().value();
    return stored;
  };
  std::vector<ProjectUsage> stored;
  ASSERT_TRUE(Eventually([&] {
    stored = usage();
    return stored.size() == 2 && stored[0].cost_usd_nanos == 2'000'000'000;
  }));
  EXPECT_EQ(stored[0].project, "projects/demo");
  EXPECT_GT(stored[0].slot_time, absl::ZeroDuration());
  EXPECT_GE(stored[0].virtual_time, absl::Minutes(20) + stored[0].slot_time);
  EXPECT_EQ(stored[1].cost_usd_nanos, 2);
}

struct Refusal {
  const char* name;
  void (*set)(config::v1::Scheduling&);
  const char* field;
  const char* problem;
};

class SchedulingConfig : public ServerFixture, public ::testing::WithParamInterface<Refusal> {};

TEST_P(SchedulingConfig, IsRefusedWithTheField) {
  GetParam().set(*config_.mutable_scheduling());
  const absl::Status status = SettingsOf(config_).status();
  EXPECT_THAT(status, testkit::FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().field));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    , SchedulingConfig,
    ::testing::Values(Refusal{"AWeightBelowZero",
                              [](auto& s) {
                                s.add_projects()->set_project("p");
                                s.mutable_projects(0)->set_weight(-1);
                              },
                              "scheduling.projects 'p'", "weight of 1 to 1000"},
                      Refusal{"AProjectByItsWholeName",
                              [](auto& s) { s.add_projects()->set_project("projects/p"); },
                              "scheduling.projects 'projects/p'", "id of a project"},
                      Refusal{"AProjectTwice",
                              [](auto& s) {
                                s.add_projects()->set_project("p");
                                s.add_projects()->set_project("p");
                              },
                              "scheduling.projects 'p'", "named twice"},
                      Refusal{"ACredentialWithoutALimit",
                              [](auto& s) {
                                s.add_credentials()->set_name("key");
                                s.mutable_credentials(0)->add_roles("r");
                              },
                              "scheduling.credentials 'key'", "attempts_max of 1 or more"},
                      Refusal{"ACredentialWithoutRoles",
                              [](auto& s) {
                                s.add_credentials()->set_name("key");
                                s.mutable_credentials(0)->set_attempts_max(1);
                              },
                              "scheduling.credentials 'key'", "needs roles"},
                      Refusal{"ARoleWithTwoCredentials",
                              [](auto& s) {
                                for (const char* name : {"a", "b"}) {
                                  auto& credential = *s.add_credentials();
                                  credential.set_name(name);
                                  credential.set_attempts_max(1);
                                  credential.add_roles("r");
                                }
                              },
                              "scheduling.credentials 'b'", "role 'r'"},
                      Refusal{"APlanLimitBelowZero", [](auto& s) { s.set_plan_attempts_max(-1); },
                              "scheduling.plan_attempts_max", "negative"},
                      Refusal{"ALaneLimitBelowZero", [](auto& s) { s.set_lane_changes_max(-1); },
                              "scheduling.lane_changes_max", "negative"},
                      Refusal{"AnAgingStepOfNothing",
                              [](auto& s) { s.mutable_aging_step()->set_nanos(1); },
                              "scheduling.aging_step", "at least a second"},
                      Refusal{"AnOverlapWaitBelowZero",
                              [](auto& s) { s.mutable_overlap_wait()->set_seconds(-1); },
                              "scheduling.overlap_wait", "negative"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(SchedulingTest, DefaultsAreThoseOfTheContract) {
  const SchedulingSettings settings = SettingsOf(config_).value().scheduling;
  EXPECT_EQ(settings, SchedulingSettings());
  config_.mutable_scheduling()->mutable_overlap_wait();
  EXPECT_EQ(SettingsOf(config_).value().scheduling.overlap_wait, absl::ZeroDuration());
}

}  // namespace
}  // namespace slipway::dispatcher
