#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testkit::FailsWithReason;

// Which role an attempt is given, and how that is explained.
class RoleTest : public ServerFixture {
 protected:
  static v1::IssueAttemptKeyRequest KeyRequest(const std::string& role, int failed,
                                               const std::string& attempt = kAttempt) {
    v1::IssueAttemptKeyRequest request;
    request.mutable_scopes()->set_attempt(attempt);
    request.set_epoch(1);
    if (!role.empty()) request.add_roles(role);
    request.mutable_lifetime()->set_seconds(3'600);
    request.set_intent("code");
    request.mutable_traits()->set_complexity(v1::TaskTraits::COMPLEXITY_LOW);
    request.mutable_traits()->set_escalation_depth(failed);
    return request;
  }
  absl::StatusOr<v1::IssueAttemptKeyResponse> Issue(const v1::IssueAttemptKeyRequest& request) {
    return rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, request);
  }
  absl::StatusOr<v1::ExplainRouteResponse> Explain(const std::string& scope) {
    v1::ExplainRouteRequest request;
    request.set_scope(scope);
    return rpc::CallUnary(*stub_, &Stub::ExplainRoute, request);
  }
  // Routes for the weaker builders only.
  void StartWithBuilders() {
    ASSERT_OK_AND_ASSIGN(
        const auto config,
        config::Parse<config::v1::ModelsConfig>(
            absl::StrCat(ConfigText(),
                         "  - {role: simple_builder, provider: scripted, model: script-1}\n"
                         "  - {role: general_builder, provider: scripted, model: script-1}\n",
                         settings_),
            "test.yaml"));
    ASSERT_OK_AND_ASSIGN(server_, Server::Start(config, {base::RealClock(), base::RandomIds()}));
    Connect();
  }

  std::string settings_;
};

TEST_F(RoleTest, AFailureRaisesTheRoleAndTheKeyIsForThatOneOnly) {
  StartWithBuilders();

  ASSERT_OK_AND_ASSIGN(const auto key, Issue(KeyRequest("simple_builder", 1)));

  EXPECT_EQ(key.role(), "general_builder");
  EXPECT_THAT(key.role_reasons(), ElementsAre(HasSubstr("the plan names simple_builder"),
                                              HasSubstr("it has failed 1 time")));
  EXPECT_EQ(Chat(key.key(), "general_builder").result.http_status, 200);
  EXPECT_EQ(Chat(key.key(), "simple_builder").result.http_status, 403);
}

TEST_F(RoleTest, ARoleThatNoRouteServesGivesWayToTheNextWeaker) {
  StartWithBuilders();

  ASSERT_OK_AND_ASSIGN(const auto key, Issue(KeyRequest("simple_builder", 2)));

  EXPECT_EQ(key.role(), "general_builder");
  EXPECT_THAT(key.role_reasons(2),
              "no route serves coding_optimized_builder: general_builder instead");
  EXPECT_THAT(Issue(KeyRequest("mechanical_worker", 0)), FailsWithReason("ROUTE_MISSING"));
}

TEST_F(RoleTest, WithoutANameTheRoleIsChosenByTheTraits) {
  StartWithBuilders();

  ASSERT_OK_AND_ASSIGN(const auto key, Issue(KeyRequest("", 0)));

  EXPECT_EQ(key.role(), "simple_builder");
  EXPECT_THAT(Issue(KeyRequest("No Role", 0)), FailsWithReason("ROLE_UNKNOWN"));
}

TEST_F(RoleTest, RolesThatAreFixedStay) {
  settings_ = "fixed_roles: true\n";
  StartWithBuilders();

  ASSERT_OK_AND_ASSIGN(const auto key, Issue(KeyRequest("simple_builder", 3)));

  EXPECT_EQ(key.role(), "simple_builder");
  EXPECT_THAT(key.role_reasons(), ElementsAre(HasSubstr("roles are fixed")));
}

TEST_F(RoleTest, WithoutTraitsTheRolesAreAsNamedAndNothingIsDecided) {
  StartWithBuilders();

  IssueKey({"simple_builder"});

  EXPECT_THAT(Explain(kAttempt), FailsWithReason("DECISION_UNKNOWN"));
}

TEST_F(RoleTest, DecisionsOfAPlanATaskAndAnAttemptAreExplainedAlsoAfterARestart) {
  StartWithBuilders();
  const std::string second = "projects/p/plans/n/tasks/parse/attempts/2";
  const std::string other = "projects/p/plans/n/tasks/print/attempts/1";
  ASSERT_OK(Issue(KeyRequest("simple_builder", 0)));
  ASSERT_OK_AND_ASSIGN(const auto key, Issue(KeyRequest("simple_builder", 1, second)));
  ASSERT_OK(Issue(KeyRequest("simple_builder", 0, other)));
  ASSERT_EQ(Chat(key.key(), "general_builder").result.http_status, 200);
  server_.reset();
  StartWithBuilders();

  ASSERT_OK_AND_ASSIGN(const auto attempt, Explain(second));
  EXPECT_EQ(attempt.role(), "general_builder");
  ASSERT_THAT(attempt.decisions(), SizeIs(1));
  EXPECT_EQ(attempt.decisions(0).named_role(), "simple_builder");
  EXPECT_EQ(attempt.decisions(0).traits().escalation_depth(), 1);
  EXPECT_EQ(attempt.decisions(0).traits().complexity(), v1::TaskTraits::COMPLEXITY_LOW);
  EXPECT_EQ(attempt.decisions(0).traits().validation_need(), v1::TaskTraits::VALIDATION_NEED_TESTS);
  ASSERT_THAT(attempt.tries(), SizeIs(1));
  EXPECT_EQ(attempt.tries(0).scopes().role(), "general_builder");
  EXPECT_THAT(Explain("projects/p/plans/n/tasks/parse")->decisions(), SizeIs(2));
  EXPECT_THAT(Explain("projects/p/plans/n")->decisions(), SizeIs(3));
  EXPECT_THAT(Explain("projects/p/plans/none"), FailsWithReason("DECISION_UNKNOWN"));
  EXPECT_THAT(Explain("nothing"), FailsWithReason("SCOPE_INVALID"));
}

}  // namespace
}  // namespace slipway::models
