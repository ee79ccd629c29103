// The audit of the dispatcher's database: nothing is wrong with one that whole dispatchers wrote,
// and what is broken in it by hand is named.
#include <sqlite3.h>

#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/dispatcher/offline_audit.h"
#include "services/dispatcher/storage/audit_file.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr char kA[] = "plan='projects/demo/plans/2026-11-21-export' AND task='a'";

// A database with merged and open tasks, attempts of both kinds, salvage, a question, a pause and
// two terms.
class AuditTest : public ServerFixture {
 protected:
  void SetUp() override {
    is_audited_ = false;  // It is broken on purpose.
    reviewer_.with_validators = true;
    reviewer_.inspect = [](const auto& request, auto& response) {
      if (absl::StrContains(request.attempt(), "/tasks/b/")) {
        auto& reason = *response.mutable_refused()->add_reasons();
        reason.set_code("SYMLINK");
      } else {
        response.mutable_accepted();
      }
      return grpc::Status::OK;
    };
    AddAgent();
    ASSERT_OK(Submit(Plan({"a", "b:a", "c:b"})));
    ExpectTask("b", v1::Task::STATE_NEEDS_HUMAN);
    SalvageOneAttempt();
    ASSERT_OK(Submit(Plan({"x", "y:x"}, kPausedPlan)));
    agents_.clear();
    Restart();
  }

  // A task that was cancelled while an agent worked on it, which then hands in its change.
  void SalvageOneAttempt() {
    agents_.clear();
    FakeAgent& silent = AddAgent([](const auto&) { return std::nullopt; });
    ASSERT_OK(Submit(Plan({"s", "t"}, kCancelledPlan)));
    ASSERT_TRUE(Eventually([&] { return silent.grants().size() == 1; }));
    const agent::v1::Grant grant = silent.grants().front();
    const std::string task = grant.attempt().substr(0, grant.attempt().find("/attempts/"));
    ASSERT_TRUE(Eventually([&] {
      return GetTask(task.substr(task.rfind('/') + 1), kCancelledPlan).state() ==
             v1::Task::STATE_RUNNING;
    }));
    v1::CancelTaskRequest cancel;
    cancel.set_name(task);
    ASSERT_OK(Call(&v1::DispatcherService::Stub::CancelTask, cancel).status());
    const auto receipt = silent.Submit(FakeAgent::Change(grant));
    ASSERT_OK(receipt.status());
    ASSERT_EQ(receipt->receipt(), agent::v1::SubmitResultResponse::RECEIPT_STALE);
    v1::PauseRequest pause;
    pause.set_scope(kCancelledPlan);
    ASSERT_OK(Call(&v1::DispatcherService::Stub::Pause, pause).status());
  }

  // Ends the dispatcher and runs `sql` on its file.
  void Break(const std::string& sql) {
    agents_.clear();
    server_.reset();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(config_.database().c_str(), &database), SQLITE_OK);
    char* problem = nullptr;
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &problem), SQLITE_OK)
        << problem;
    ASSERT_GT(sqlite3_total_changes(database), 0) << "nothing was broken";
    sqlite3_close(database);
  }

  std::vector<std::string> Broken() {
    std::vector<std::string> broken;
    const absl::StatusOr<AuditResult> audit = AuditFile(config_.database());
    EXPECT_OK(audit.status());
    if (!audit.ok()) return {};
    for (const AuditCheck& check : audit->checks) {
      if (!check.breaches.empty()) {
        broken.push_back(check.invariant.substr(0, check.invariant.find(' ')));
      }
    }
    return broken;
  }

  static constexpr char kCancelledPlan[] = "projects/demo/plans/2026-11-21-cancelled";
  static constexpr char kPausedPlan[] = "projects/other/plans/2026-11-21-paused";
};

TEST_F(AuditTest, FindsNothingWrongWithWhatDispatchersWroteAndChecksEverything) {
  const auto online = Call(&v1::DispatcherService::Stub::Audit, v1::AuditRequest());
  ASSERT_OK(online.status());
  EXPECT_EQ(online->checks_size(), AuditReport::kInvariants);
  EXPECT_EQ(Broken(), std::vector<std::string>()) << "while it runs";
  server_.reset();
  ASSERT_OK_AND_ASSIGN(const AuditResult audit, AuditFile(config_.database()));
  for (const AuditCheck& check : audit.checks) {
    EXPECT_THAT(check.breaches, IsEmpty()) << check.invariant;
    // No lease ended here.
    if (absl::StartsWith(check.invariant, "I15")) continue;
    EXPECT_GT(check.checked, 0) << check.invariant;
  }
}

TEST_F(AuditTest, PrintsItsFindingsAsJson) {
  Break(absl::StrCat("UPDATE attempt SET state=2 WHERE ", kA, " AND epoch=1"));
  std::ostringstream out;
  EXPECT_THAT(PrintAudit(config_.database(), out), testkit::IsOkAndHolds(false));
  EXPECT_THAT(out.str(),
              HasSubstr("\"breaches\":[\"projects/demo/plans/2026-11-21-export/tasks/a"));
}

TEST_F(AuditTest, RefusesAFileThatIsNoDatabaseOfADispatcher) {
  std::ostringstream out;
  EXPECT_FALSE(PrintAudit(directory_.File("missing.db"), out).ok());
  EXPECT_FALSE(PrintAudit("/etc/passwd", out).ok());
  EXPECT_EQ(out.str(), "");
}

struct Breakage {
  const char* name;
  std::string sql;
  std::vector<std::string> broken;
};

class AuditFinds : public AuditTest, public ::testing::WithParamInterface<Breakage> {};

TEST_P(AuditFinds, WhatIsBroken) {
  Break(GetParam().sql);
  EXPECT_THAT(Broken(), UnorderedElementsAreArray(GetParam().broken));
}

std::string Payload(const std::string& from, const std::string& to) {
  return absl::StrCat("UPDATE event SET payload=replace(payload,'", from, "','", to, "') WHERE ");
}

const std::string kTaskA = "'projects/demo/plans/2026-11-21-export/tasks/a'";
const std::string kCopyEvent =
    "INSERT INTO event(time_us,kind,project,plan,task,attempt,payload)"
    " SELECT time_us,kind,project,plan,task,attempt,payload FROM event WHERE ";

const std::string kTwoMoreGrants =
    "INSERT INTO event(time_us,kind,project,plan,task,attempt,"
    "payload) SELECT time_us,kind,project,plan,replace(task,'/b','/c'),"
    "replace(attempt,'/b/','/c/'),payload FROM event"
    " WHERE attempt LIKE '%/tasks/b/attempts/1' AND payload LIKE '%\"OFFERED\"%'"
    " AND payload LIKE '%\"from\":\"\"%'; INSERT INTO event(time_us,kind,project,plan,"
    "task,attempt,payload) SELECT time_us,kind,project,plan,replace(task,'/b','/x'),"
    "replace(attempt,'/b/','/x/'),payload FROM event"
    " WHERE attempt LIKE '%/tasks/b/attempts/1' AND payload LIKE '%\"from\":\"\"%'";

INSTANTIATE_TEST_SUITE_P(
    , AuditFinds,
    ::testing::Values(
        Breakage{"TaskWithoutNextStep", "UPDATE task SET ready_time_us=NULL WHERE id='x'", {"I1"}},
        Breakage{"QuestionThatIsNotOpen", "UPDATE task SET open_checkpoint=0 WHERE id='b'", {"I1"}},
        Breakage{
            "RunThatForgotToEnd", "UPDATE run SET state=4 WHERE plan LIKE '%paused'", {"I1", "I5"}},
        Breakage{"TwoHolders",
                 absl::StrCat("UPDATE attempt SET state=2,key_open=1 WHERE ", kA, " AND epoch=1"),
                 {"I2", "I5"}},
        Breakage{"EpochSetBack", "UPDATE task SET epoch=1 WHERE id='a'", {"I2"}},
        Breakage{"StaleEpochAccepted",
                 Payload("\"epoch\":2", "\"epoch\":1") + "kind='task.state_changed' AND task=" +
                     kTaskA + " AND payload LIKE '%\"to\":\"MERGED\"%'",
                 {"I3"}},
        Breakage{"MergedTwice",
                 kCopyEvent + "task=" + kTaskA + " AND payload LIKE '%\"to\":\"MERGED\"%'",
                 {"I4", "I5"}},
        Breakage{"MergedWithoutCommit", "UPDATE task SET merged_commit='' WHERE id='a'", {"I4"}},
        Breakage{"GapInTheLog",
                 "DELETE FROM event WHERE sequence=(SELECT MIN(sequence) FROM event"
                 " WHERE kind='stale.refused')",
                 {"I5"}},
        Breakage{"StateWithoutEvent", "UPDATE task SET state=2 WHERE id='c'", {"I5", "I1"}},
        Breakage{"EventOfAnotherProject",
                 "UPDATE event SET project='projects/other' WHERE sequence=1",
                 {"I6"}},
        Breakage{"CursorBeyondTheLog", "UPDATE log_meta SET compacted_sequence=7", {"I6"}},
        Breakage{
            "GrantBeforeDependency",
            "UPDATE task_spec SET spec=json_set(spec,'$.depends_on',json('[\"b\"]')) WHERE id='a'",
            {"I7"}},
        Breakage{"GrantInAPausedScope",
                 "UPDATE event SET kind='pause.changed',task='',attempt='',payload="
                 "'{\"pause_changed\":{\"scope\":\"projects/demo\",\"paused\":true}}'"
                 " WHERE sequence=1; INSERT INTO pause VALUES('projects/demo','','',0)",
                 {"I8"}},
        Breakage{"MoreThanParallelMax",
                 "UPDATE run SET policy=json_set(policy,'$.parallel_max',1);" + kTwoMoreGrants,
                 {"I2", "I7", "I8", "I10"}},
        Breakage{"MoreThanThePlanMayHave",
                 "UPDATE term SET rules=json_set(rules,'$.plan_attempts_max',1);" + kTwoMoreGrants,
                 {"I2", "I7", "I8", "I10"}},
        Breakage{"MoreThanTheLaneMayHave",
                 "UPDATE term SET rules=json_set(rules,'$.lane_changes_max',1);" + kTwoMoreGrants,
                 {"I2", "I7", "I8", "I10"}},
        Breakage{"MoreThanTheHostHasSlots",
                 "UPDATE term SET rules=json_set(rules,'$.host_slots.\"hosts/test\"',1);" +
                     kTwoMoreGrants,
                 {"I2", "I7", "I8", "I10"}},
        Breakage{"MoreThanTheProjectMayHave",
                 "UPDATE term SET rules=json_set(rules,'$.projects',"
                 "json('{\"projects/demo\":{\"weight\":1,\"attempts_max\":1}}'));" +
                     kTwoMoreGrants,
                 {"I2", "I7", "I8", "I10"}},
        Breakage{"ValidationWithAKey",
                 absl::StrCat("UPDATE attempt SET key_open=1 WHERE kind=2 AND ", kA),
                 {"I9"}},
        Breakage{
            "ResultLost", absl::StrCat("DELETE FROM result WHERE ", kA, " AND epoch=1"), {"I10"}},
        Breakage{"RowWithoutItsOwner", "DELETE FROM task WHERE id='y'", {"I10"}},
        Breakage{"SalvageCountsAsResult", "UPDATE result SET salvage=0 WHERE salvage=1", {"I11"}},
        Breakage{"ZombieAccepted",
                 kCopyEvent + "attempt LIKE '%cancelled%' AND payload LIKE '%\"to\":\"ACTIVE\"%'",
                 {"I5", "I11"}},
        Breakage{"RetryChargedForAPause",
                 Payload("\"retries\":0", "\"retries\":1") +
                     "task LIKE '%/tasks/x' AND kind='task.state_changed';"
                     "UPDATE event SET payload=replace(payload,'\"retries\":0','\"retries\":1')"
                     " WHERE task=" +
                     kTaskA + " AND payload LIKE '%\"to\":\"RUNNING\"%'",
                 {"I12"}},
        Breakage{"MoreRetriesThanTheClassHas",
                 "UPDATE task SET progress=json_set(progress,'$.retries',json('{\"agent\":9}'))"
                 " WHERE id='b'",
                 {"I12"}},
        Breakage{"OldTaskPassedOver",
                 "UPDATE event SET time_us=time_us-4000000000 WHERE task LIKE '%cancelled/tasks/t'",
                 {"I13"}},
        Breakage{"LiveWithoutAgent",
                 "UPDATE attempt SET state=2,agent='',"
                 "key_open=1 WHERE task='b' AND epoch=(SELECT MAX(epoch) FROM attempt WHERE"
                 " task='b')",
                 {"I5", "I14"}},
        Breakage{"LeaseEndedByTheWall",
                 "UPDATE attempt SET reason='LEASE_EXPIRED',silence_us=1 WHERE task='b' AND"
                 " epoch=1",
                 {"I15"}},
        Breakage{"TermThatNeverBegan",
                 "DELETE FROM term WHERE number=(SELECT MAX(number) FROM term)",
                 {"I10"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(AuditTest, OldEventsAreRemovedWhichATokenIsToldAndAuditsUnderstand) {
  const auto list = [this](int size) {
    events::v1::ListEventsRequest request;
    request.set_page_size(size);
    grpc::ClientContext context;
    events::v1::ListEventsResponse response;
    EXPECT_TRUE(events_->ListEvents(&context, request, &response).ok());
    return response;
  };
  const std::string token = list(1).next_page_token();
  const int64_t newest = list(500).events().rbegin()->sequence();
  // Anywhere: of tasks, attempts and runs some is told, some is not.
  for (int64_t gone = 2; gone < newest; gone += newest / 9) {
    Break(absl::StrCat("UPDATE event SET time_us=1000 WHERE sequence<=", gone));
    Restart();
    ASSERT_TRUE(Eventually([&] { return list(1).events(0).sequence() == gone + 1; }));
    events::v1::WatchRequest request;
    request.set_resume_token(token);
    grpc::ClientContext context;
    events::v1::WatchResponse response;
    const auto stream = events_->Watch(&context, request);
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_THAT(rpc::FromGrpcStatus(stream->Finish()),
                testkit::FailsWithReason("RESUME_TOKEN_EXPIRED"));
    EXPECT_THAT(Broken(), IsEmpty()) << "events up to " << gone << " are gone";
  }
}

TEST_F(AuditTest, FindsAnAgentThatARestartTookItsWorkFrom) {
  Break(
      "UPDATE term SET begin_sequence=(SELECT MAX(sequence) FROM event WHERE"
      " payload LIKE '%\"to\":\"ACTIVE\"%' AND attempt LIKE '%/tasks/b/attempts/%'),"
      " lease_timeout_us=3600000000,begin_time_us=0 WHERE number=2;"
      "UPDATE term SET begin_time_us=(SELECT MIN(time_us) FROM event) WHERE number=2;"
      "UPDATE event SET payload=replace(replace(payload,'REPORTED','LOST'),'\"reason\":\"\"',"
      "'\"reason\":\"LEASE_EXPIRED\"') WHERE payload LIKE '%\"to\":\"REPORTED\"%'"
      " AND attempt LIKE '%/tasks/b/attempts/%' AND sequence>(SELECT begin_sequence FROM term"
      " WHERE number=2)");
  EXPECT_THAT(Broken(), ::testing::Contains("I16"));
}

}  // namespace
}  // namespace slipway::dispatcher
