#include "services/dispatcher/fleet/ssh_tunnel.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testkit/certificates.h"
#include "lib/testkit/tls_front.h"
#include "services/dispatcher/fleet/docker_engine.h"
#include "services/dispatcher/testing/fake_engine.h"

namespace slipway::dispatcher {
namespace {

using ::testing::HasSubstr;

TEST(SshTunnelTest, AnAddressNamesUserHostPortAndSocket) {
  const auto whole = SshTunnel::Parse("ssh://alice@10.0.0.7:2222/run/user/1000/docker.sock");
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->target, "alice@10.0.0.7");
  EXPECT_EQ(whole->port, 2222);
  EXPECT_EQ(whole->engine_socket, "/run/user/1000/docker.sock");

  const auto least = SshTunnel::Parse("ssh://build-7");
  ASSERT_TRUE(least.has_value());
  EXPECT_EQ(least->target, "build-7");
  EXPECT_EQ(least->port, 0);
  EXPECT_EQ(least->engine_socket, "/var/run/docker.sock");
}

// It is handed to a program and to the other machine's shell.
TEST(SshTunnelTest, WhatCouldBeMoreThanAnAddressIsRefused) {
  for (const char* const address :
       {"unix:/run/docker.sock", "ssh://", "ssh://-oProxyCommand=sh", "ssh://host;reboot",
        "ssh://host/$(reboot)", "ssh://host:0", "ssh://host:port", "ssh://a b"}) {
    EXPECT_FALSE(SshTunnel::Parse(address).has_value()) << address;
  }
}

TEST(SshTunnelTest, WhatSshSaysHasAReason) {
  EXPECT_EQ(SshReason("Host key verification failed.\r\n"), "SSH_HOST_UNTRUSTED");
  EXPECT_EQ(SshReason("root@h: Permission denied (publickey).\r\n"), "SSH_LOGIN_REFUSED");
  EXPECT_EQ(SshReason("ssh: connect to host h port 22: Connection refused"), "SSH_UNREACHABLE");
  EXPECT_EQ(SshReason("Error: remote port forwarding failed for listen path /s"),
            "SSH_FORWARD_REFUSED");
  EXPECT_EQ(SshReason("something else"), "SSH_FAILED");
}

// An engine that is reached by TLS, with certificates of both sides.
class EngineByTlsTest : public ::testing::Test {
 protected:
  std::string ProblemOf(const testkit::CertificateFiles& server,
                        const testkit::CertificateFiles& client, const std::string& authorities) {
    const testkit::TlsFront front({.certificate = server,
                                   .client_ca = authority_.file(),
                                   .target = directory_.File("engine.sock")});
    DockerEngine engine(client_, {.address = absl::StrCat("https://127.0.0.1:", front.port()),
                                  .ca_file = authorities,
                                  .certificate_file = client.certificate,
                                  .key_file = client.key});
    return std::string(engine.List({}).status().message());
  }

  testkit::TemporaryDirectory directory_;
  FakeEngine engine_{directory_.File("engine.sock")};
  testkit::CertificateAuthority authority_;
  testkit::CertificateAuthority other_;
  const testkit::CertificateFiles server_ = authority_.Issue({.address = "127.0.0.1"});
  const testkit::CertificateFiles own_ = authority_.Issue({});
  http::Client client_;
};

TEST_F(EngineByTlsTest, WhatIsRightWorksAndWhatIsWrongIsNamed) {
  const absl::Duration over = -absl::Hours(1);

  EXPECT_EQ(ProblemOf(server_, own_, authority_.file()), "");
  EXPECT_THAT(ProblemOf(server_, own_, other_.file()), HasSubstr("CERTIFICATE_UNTRUSTED"));
  EXPECT_THAT(
      ProblemOf(authority_.Issue({.address = "127.0.0.1", .valid = over}), own_, authority_.file()),
      HasSubstr("CERTIFICATE_EXPIRED"));
  EXPECT_THAT(ProblemOf(authority_.Issue({.address = "10.0.0.7"}), own_, authority_.file()),
              HasSubstr("CERTIFICATE_NAME_WRONG"));
  EXPECT_THAT(ProblemOf(server_, other_.Issue({}), authority_.file()),
              HasSubstr("CLIENT_CERTIFICATE_REFUSED"));
  EXPECT_THAT(ProblemOf(server_, authority_.Issue({.valid = over}), authority_.file()),
              HasSubstr("CLIENT_CERTIFICATE_REFUSED"));
  EXPECT_THAT(ProblemOf(server_, {}, authority_.file()), HasSubstr("CLIENT_CERTIFICATE_REFUSED"));
}

}  // namespace
}  // namespace slipway::dispatcher
