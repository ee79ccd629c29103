#include "lib/sandbox/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/sandbox/sandbox.h"
#include "lib/testkit/matchers.h"

namespace slipway::sandbox {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHardened[] =
    "Name:\tagent\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
    "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

ContainerFacts Hardened() {
  return {
      .pid = 1, .uid = 64'201, .status = kHardened, .root_read_only = true, .interfaces = {"lo"}};
}

TEST(ContainerTest, AHardenedContainerIsASandbox) {
  EXPECT_OK(CheckFacts(Hardened(), Layer::kContainer));
}

TEST(ContainerTest, APodMayHaveANetworkAndNothingElse) {
  ContainerFacts facts = Hardened();
  facts.interfaces = {"lo", "eth0"};
  EXPECT_OK(CheckFacts(facts, Layer::kPod));
  facts.uid = 0;
  EXPECT_THAT(CheckFacts(facts, Layer::kPod), FailsWithReason("SANDBOX_BROKEN"));
}

TEST(ContainerTest, EachMissingLayerIsNamed) {
  struct Breach {
    const char* says;
    void (*make)(ContainerFacts& facts);
  };
  const auto replace = [](ContainerFacts& facts, const std::string& from, const std::string& to) {
    facts.status.replace(facts.status.find(from), from.size(), to);
  };
  for (const Breach& breach : {
           Breach{"process 1", [](ContainerFacts& facts) { facts.pid = 7; }},
           Breach{"root", [](ContainerFacts& facts) { facts.uid = 0; }},
           Breach{"can be written", [](ContainerFacts& facts) { facts.root_read_only = false; }},
           Breach{"the network eth0",
                  [](ContainerFacts& facts) {
                    facts.interfaces = {"lo", "eth0"};
                  }},
           Breach{"CapInh",
                  [](ContainerFacts& facts) { facts.status = "Name:\tagent\nNoNewPrivs:\t1\n"; }},
       }) {
    ContainerFacts facts = Hardened();
    breach.make(facts);
    EXPECT_THAT(CheckFacts(facts, Layer::kContainer), FailsWithReason("SANDBOX_BROKEN"))
        << breach.says;
    EXPECT_THAT(std::string(CheckFacts(facts, Layer::kContainer).message()),
                HasSubstr(breach.says));
  }
  for (const char* const layer : {"CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}) {
    ContainerFacts facts = Hardened();
    replace(facts, layer, "Gone:\t0");
    EXPECT_THAT(std::string(CheckFacts(facts, Layer::kContainer).message()), HasSubstr(layer));
  }
}

TEST(ContainerTest, OutsideOfAContainerNothingStartsAndNothingIsSignalled) {
  Spec spec{.layer = Layer::kContainer, .argv = {"/usr/bin/true"}};

  EXPECT_THAT(Start(spec).status(), FailsWithReason("SANDBOX_BROKEN"));
  EXPECT_THAT(Check(spec), FailsWithReason("SANDBOX_BROKEN"));
  EndOthers();  // Would end this test's own children, and everything else of its user.
  SignalOthers(9);
}

TEST(ContainerTest, PathsOfTheSandboxAreThoseOfTheContainer) {
  const Spec spec{.layer = Layer::kContainer,
                  .argv = {"/slipway-agent", "--runner"},
                  .read_only = {{.host = "/opt/agent", .inside = "/slipway-agent"}},
                  .workspace = "/work/a-1/tree",
                  .working_directory = "/workspace/part",
                  .run_directory = "/work/a-1/run",
                  .limits = {.processes = 7}};

  const base::Process::Options options = ContainerOptions(spec);

  EXPECT_THAT(options.argv, ElementsAre("/usr/bin/prlimit", "--core=0:0", testing::_, testing::_,
                                        "--", "/opt/agent", "--runner"));
  EXPECT_EQ(options.directory, "/work/a-1/tree/part");
  EXPECT_EQ(options.env.at("SLIPWAY_WORKSPACE"), "/work/a-1/tree");
  EXPECT_EQ(options.env.at("SLIPWAY_RUN_DIRECTORY"), "/work/a-1/run");
}

}  // namespace
}  // namespace slipway::sandbox
