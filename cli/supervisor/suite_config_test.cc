#include "cli/supervisor/suite_config.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <memory>

#include "cli/supervisor/restart_policy.h"
#include "cli/supervisor/yaml_writer.h"
#include "lib/base/file.h"
#include "lib/config/config.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::cli {
namespace {

namespace pb = slipway::config::v1;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using testkit::FailsWithReason;

class SuiteConfigTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory directory_;
  DataDirectory data_{directory_.path()};
  SuiteConfig config_ = DefaultSuiteConfig(data_, {.agent_program = "/opt/slipway/slipway-agent",
                                                   .workspace_directory = "/w",
                                                   .http_port = 7,
                                                   .grpc_port = 8,
                                                   .slots = 3});

  void Override(const std::string& service, const std::string& yaml) {
    ASSERT_OK(base::MakeDirectories(directory_.File("overrides")));
    ASSERT_OK(base::WriteFileAtomic(data_.Overrides(service), yaml));
  }
};

TEST_F(SuiteConfigTest, IsReadBackAsItWasWritten) {
  ASSERT_OK(config_.ForEach([](const std::string& name, Message& config) -> absl::Status {
    const std::unique_ptr<Message> read(config.New());
    const absl::Status parsed = config::ParseInto(ToYaml(config), name, *read);
    EXPECT_OK(parsed);
    EXPECT_TRUE(MessageDifferencer::Equals(config, *read)) << ToYaml(config);
    return absl::OkStatus();
  }));
}

TEST_F(SuiteConfigTest, YamlKeepsTextDurationsAndNestedLists) {
  pb::ModelsConfig config;
  config.set_database("a: \"quoted\"\n# no comment \u00e4");
  config.mutable_listen()->mutable_drain_timeout()->set_nanos(1'500'000);
  config.mutable_log();
  auto& provider = *config.add_providers();
  provider.set_name("yes");
  provider.mutable_openai_chat()->set_allow_paid(true);
  config.add_routes()->set_input_tokens_max(9'000'000'000);
  config.add_routes();
  const absl::StatusOr<pb::ModelsConfig> read =
      config::Parse<pb::ModelsConfig>(ToYaml(config), "models.yaml");
  ASSERT_OK(read);
  EXPECT_TRUE(MessageDifferencer::Equals(config, *read)) << ToYaml(config);
}

TEST_F(SuiteConfigTest, AnEmptyMessageIsAnEmptyMap) { EXPECT_EQ(ToYaml(pb::Log()), "{}\n"); }

TEST_F(SuiteConfigTest, AnOverrideReplacesFieldsAndWholeLists) {
  Override("agent", "sandbox: {processes: 9}\nvalidator_programs: [\"*\"]\n");
  ASSERT_OK(ApplyOverrides(data_, config_));
  EXPECT_EQ(config_.agent.sandbox().processes(), 9);
  ASSERT_EQ(config_.agent.validator_programs_size(), 1);
  EXPECT_EQ(config_.agent.validator_programs(0), "*");
  EXPECT_EQ(config_.agent.workspace_directory(), "/w");
}

TEST_F(SuiteConfigTest, AnOverrideReachesIntoNestedMessages) {
  Override("ledger", "listen: {drain_timeout: 9s}\n");
  const std::string address = config_.ledger.listen().address();
  ASSERT_OK(ApplyOverrides(data_, config_));
  EXPECT_EQ(config_.ledger.listen().drain_timeout().seconds(), 9);
  EXPECT_EQ(config_.ledger.listen().address(), address);
}

TEST_F(SuiteConfigTest, AWrongOverrideNamesFileAndLine) {
  Override("planner", "log: {level: info}\nplaning_role: x\n");
  const absl::Status status = ApplyOverrides(data_, config_);
  EXPECT_THAT(status, FailsWithReason("CONFIG_INVALID"));
  EXPECT_NE(status.message().find("overrides/planner.yaml:2:"), absl::string_view::npos);
}

TEST_F(SuiteConfigTest, PathsOfAModelsFragmentAreRelativeToIt) {
  const std::string path = directory_.File("models.yaml");
  ASSERT_OK(base::WriteFileAtomic(
      path, "providers:\n- {name: s, scripted: {script: a/b.json, call_log: /c}}\n"));
  const absl::StatusOr<pb::ModelsConfig> fragment = LoadModelsFragment(path);
  ASSERT_OK(fragment);
  EXPECT_EQ(fragment->providers(0).scripted().script(), directory_.File("a/b.json"));
  EXPECT_EQ(fragment->providers(0).scripted().call_log(), "/c");
}

TEST(RestartPolicy, StartsAtOnceThenBacksOffToItsLimit) {
  RestartPolicy policy;
  std::vector<absl::Duration> delays;
  for (int i = 0; i < 9; ++i) delays.push_back(policy.DelayAfter(absl::Milliseconds(1)));
  EXPECT_EQ(delays, (std::vector<absl::Duration>{
                        absl::ZeroDuration(), absl::Milliseconds(100), absl::Milliseconds(200),
                        absl::Milliseconds(400), absl::Milliseconds(800), absl::Milliseconds(1600),
                        absl::Milliseconds(3200), absl::Seconds(5), absl::Seconds(5)}));
}

TEST(RestartPolicy, AGoodRunStartsAnew) {
  RestartPolicy policy;
  for (int i = 0; i < 4; ++i) policy.DelayAfter(absl::ZeroDuration());
  EXPECT_EQ(policy.DelayAfter(RestartPolicy::kGoodRun), absl::ZeroDuration());
}

TEST(RestartPolicy, TellsOfACrashLoopOnce) {
  RestartPolicy policy;
  int told = 0;
  for (int i = 0; i < 20; ++i) {
    policy.DelayAfter(absl::ZeroDuration());
    if (policy.LoopBegan()) ++told;
  }
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace slipway::cli
