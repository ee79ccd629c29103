#include "services/dispatcher/kubernetes_settings.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "nlohmann/json.hpp"

namespace slipway::dispatcher {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::HasSubstr;

class KubernetesSettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("ca.crt", "authorities");
    Write("token", "t");
    Write("namespace", "slipway-agents\n");
    Write("agent.yaml", "workspace_directory: /tmp\nattempts_max: 5\n");
    config::v1::AgentHost& host = *config_.add_hosts();
    host.set_name("cluster");
    driver_ = host.mutable_kubernetes();
    driver_->set_image("agent:1");
    driver_->set_agent_config(directory_.File("agent.yaml"));
    driver_->mutable_dispatcher()->set_address("10.0.0.5:7443");
    driver_->mutable_models()->set_address("10.0.0.6:8080");
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_OK(base::WriteFileAtomic(directory_.File(name), text));
  }
  absl::StatusOr<std::vector<KubernetesHost::Options>> Read() const {
    return ClustersOf(config_, "owner-1", around_);
  }
  std::string Problem() const { return std::string(Read().status().message()); }

  testkit::TemporaryDirectory directory_;
  ClusterSurroundings around_{
      .service_host = "10.96.0.1", .service_port = "443", .account_directory = directory_.path()};
  config::v1::DispatcherConfig config_;
  config::v1::KubernetesDriver* driver_ = nullptr;
};

TEST_F(KubernetesSettingsTest, InAClusterItsAccountIsTheDefault) {
  ASSERT_OK_AND_ASSIGN(const auto clusters, Read());

  const KubernetesHost::Options& cluster = clusters.at(0);
  EXPECT_EQ(cluster.api.server, "https://10.96.0.1:443");
  EXPECT_EQ(cluster.api.ca_file, directory_.File("ca.crt"));
  EXPECT_EQ(cluster.api.token_file, directory_.File("token"));
  EXPECT_EQ(cluster.cluster_namespace, "slipway-agents");
  EXPECT_EQ(cluster.job.program, "/usr/local/bin/slipway-agent");
  EXPECT_EQ(cluster.job.uid, 64'201u);
}

TEST_F(KubernetesSettingsTest, AgentsAreToldWhatTheyNeedInAPod) {
  ASSERT_OK_AND_ASSIGN(const auto clusters, Read());

  const auto agent = nlohmann::json::parse(clusters.at(0).agent_config);
  EXPECT_EQ(agent["dispatcher_address"], "10.0.0.5:7443");
  EXPECT_EQ(agent["models_address"], "http://10.0.0.6:8080");
  EXPECT_EQ(agent["isolation"], "ISOLATION_POD");
  EXPECT_EQ(agent["attempts_max"], 1);
  EXPECT_EQ(agent["workspace_directory"], "/work");
}

TEST_F(KubernetesSettingsTest, EachMistakeIsNamed) {
  using Driver = config::v1::KubernetesDriver;
  struct Mistake {
    const char* says;
    std::function<void(Driver& driver)> make;
  };
  const Driver right = *driver_;
  for (const Mistake& mistake : {
           Mistake{"needs image", [](Driver& d) { d.clear_image(); }},
           Mistake{"needs agent_config", [](Driver& d) { d.clear_agent_config(); }},
           Mistake{"in the clear", [](Driver& d) { d.set_server("http://10.96.0.1:80"); }},
           Mistake{"together", [](Driver& d) { d.set_key_file("/key"); }},
           Mistake{"which cannot be read", [](Driver& d) { d.set_token_file("/missing/token"); }},
           Mistake{"which cannot be read", [](Driver& d) { d.set_ca_file("/missing/ca"); }},
           Mistake{"needs dispatcher.address", [](Driver& d) { d.clear_dispatcher(); }},
           Mistake{"needs models.address: a numeric",
                   [](Driver& d) { d.mutable_models()->set_address("models.slipway:8080"); }},
           Mistake{"without pod_labels",
                   [](Driver& d) { d.mutable_models()->set_pod_namespace("slipway"); }},
           Mistake{"podPidsLimit", [](Driver& d) { d.mutable_limits()->set_processes(64); }},
           Mistake{"memory_bytes of at least",
                   [](Driver& d) { d.mutable_limits()->set_memory_bytes(1'000); }},
           Mistake{"image_pull_policy", [](Driver& d) { d.set_image_pull_policy("Sometimes"); }},
       }) {
    *driver_ = right;
    mistake.make(*driver_);
    EXPECT_THAT(Read().status(), FailsWithReason("CONFIG_INVALID")) << mistake.says;
    EXPECT_THAT(Problem(), HasSubstr(mistake.says));
    EXPECT_THAT(Problem(), HasSubstr("hosts 'cluster'"));
  }
}

TEST_F(KubernetesSettingsTest, OutsideOfAClusterTheServerHasToBeSaid) {
  around_.service_host.clear();

  EXPECT_THAT(Problem(), HasSubstr("needs server"));
}

TEST_F(KubernetesSettingsTest, WithAClientCertificateNoTokenIsNeeded) {
  Write("client.pem", "c");
  Write("client.key", "k");
  driver_->set_certificate_file(directory_.File("client.pem"));
  driver_->set_key_file(directory_.File("client.key"));

  ASSERT_OK_AND_ASSIGN(const auto clusters, Read());

  EXPECT_EQ(clusters.at(0).api.token_file, "");
}

}  // namespace
}  // namespace slipway::dispatcher
