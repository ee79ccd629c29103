#include "lib/git/remote_transport.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "lib/base/error.h"
#include "lib/git/git_fixture.h"
#include "lib/testkit/requirement.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;

constexpr char kMain[] = "refs/heads/main";
constexpr char kMirrored[] = "refs/source/heads/main";

TEST(RemoteUrlTest, UrlsOfPeopleAreRead) {
  for (const char* text :
       {"https://git.example.com/team/shop.git", "https://git.example.com:8443/shop",
        "ssh://git@git.example.com/team/shop.git", "ssh://git.example.com:2222/srv/shop.git",
        "git@git.example.com:team/shop.git"}) {
    const absl::StatusOr<RemoteUrl> url = ParseRemoteUrl(text);
    ASSERT_OK(url);
    EXPECT_EQ(url->ToText(), text);
  }
  EXPECT_EQ(ParseRemoteUrl("https://Git.Example.com:8443/shop")->host, "git.example.com:8443");
  EXPECT_EQ(ParseRemoteUrl("git@git.example.com:team/shop.git")->user, "git");
}

TEST(RemoteUrlTest, WhatCouldBeAnOptionOrACommandIsRefused) {
  for (const char* text : {"",
                           "/srv/shop",
                           "shop",
                           "http://git.example.com/shop",
                           "git://git.example.com/shop",
                           "file:///srv/shop",
                           "ext::sh -c id",
                           "https://-oProxyCommand=id/shop",
                           "ssh://-oProxyCommand=id/shop",
                           "-oProxyCommand=id:shop",
                           "ssh://host/shop;id",
                           "ssh://host/$(id)",
                           "https://user:secret@host/shop",
                           "https://token@host/shop",
                           "https://host/../shop",
                           "https://host/a/../shop",
                           "https://host/shop?x=y",
                           "https://host/shop#x",
                           "https://host:0/shop",
                           "https://host:99999/shop",
                           "https://host:8x/shop",
                           "https://host",
                           "https://host/",
                           "ssh://-x@host/shop",
                           "host:-x",
                           "host:../x",
                           "https://ho st/shop",
                           "https://host/sh op",
                           "https://host/shop\n",
                           "https:///shop"}) {
    EXPECT_THAT(ParseRemoteUrl(text), FailsWithReason("REMOTE_URL_INVALID")) << text;
  }
}

TEST(RemoteUrlTest, ASecretInAUrlIsNotRepeated) {
  const absl::Status status = ParseRemoteUrl("https://user:secret@host/shop").status();
  EXPECT_EQ(status.message().find("secret"), absl::string_view::npos) << status;
}

// A mirror and a repository to exchange with.
class RemoteFixture : public GitFixture {
 protected:
  RemoteFixture() : mirror_(Repository::InitBare(directory_.File("m.git"), {}).value()) {
    const std::string work = MakeWorkRepository("work");
    WriteFile(work + "/README", "hello\n");
    first_ = CommitAll(work, "first");
    served_ = directory_.File("served/shop.git");
    EXPECT_OK(base::MakeDirectories(directory_.File("served")));
    Git(directory_.path(), {"clone", "-q", "--bare", work, served_});
    Git(served_, {"config", "http.receivepack", "true"});
  }

  // A commit that follows `parent`, in the mirror.
  Oid CommitInMirror(const Oid& parent, const std::string& message) {
    return GitOid(mirror_.path(),
                  {"commit-tree", "-m", message, "-p", parent.ToHex(), parent.ToHex() + "^{tree}"});
  }

  absl::Status Fetch(const RemoteUrl& url, const RemoteAccess& access,
                     const std::string& branch = kMain) {
    return FetchFromRemote(mirror_, url, access, {{.source = branch, .target = kMirrored}});
  }

  std::string Served(const std::string& ref) { return Git(served_, {"rev-parse", ref}); }

  // Everything that is the same over every transport.
  void ExchangeEverything(const RemoteUrl& url, const RemoteAccess& access) {
    const absl::StatusOr<std::vector<Ref>> refs = ListRemoteRefs(url, access, "refs/heads/", 10);
    ASSERT_OK(refs);
    EXPECT_THAT(*refs, ::testing::ElementsAre(Ref{.name = kMain, .target = first_}));
    ASSERT_OK(Fetch(url, access));
    EXPECT_THAT(mirror_.ReadRef(kMirrored), testkit::IsOkAndHolds(first_));
    EXPECT_THAT(Fetch(url, access, "refs/heads/absent"), FailsWithReason("BRANCH_NOT_FOUND"));

    const Oid second = CommitInMirror(first_, "second");
    EXPECT_OK(PushToRemote(mirror_, url, access, {.ref = "refs/heads/plan/x", .target = second}));
    EXPECT_EQ(Served("refs/heads/plan/x"), second.ToHex());
    EXPECT_THAT(PushToRemote(mirror_, url, access,
                             {.ref = "refs/heads/plan/x", .target = CommitInMirror(second, "3")}),
                FailsWithReason("REF_EXISTS"));
    EXPECT_OK(PushToRemote(mirror_, url, access,
                           {.ref = kMain, .expected_old = first_, .target = second}));
    EXPECT_EQ(Served(kMain), second.ToHex());
    // Somebody else moved it meanwhile.
    const Oid other = CommitInMirror(first_, "other");
    EXPECT_THAT(
        PushToRemote(mirror_, url, access, {.ref = kMain, .expected_old = first_, .target = other}),
        FailsWithReason("REF_MOVED"));
    EXPECT_THAT(
        PushToRemote(mirror_, url, access, {.ref = kMain, .expected_old = second, .target = other}),
        FailsWithReason("NOT_FAST_FORWARD"));
    EXPECT_EQ(Served(kMain), second.ToHex());
    // The remote's own rules.
    WriteFile(served_ + "/hooks/pre-receive", "#!/bin/sh\necho not here >&2\nexit 1\n");
    chmod((served_ + "/hooks/pre-receive").c_str(), 0755);
    EXPECT_THAT(PushToRemote(mirror_, url, access, {.ref = "refs/heads/plan/y", .target = second}),
                FailsWithReason("REMOTE_REFUSED"));
    EXPECT_EQ(RunGit(mirror_.path(), {"fsck", "--strict", "--no-dangling"}).code, 0);
  }

  Repository mirror_;
  Oid first_;
  std::string served_;
};

class HttpsTest : public RemoteFixture {
 protected:
  void SetUp() override {
    const auto made = base::RunCommand(
        {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory_.File("key.pem"),
                  "-out", directory_.File("certificate.pem")},
         .inherit_env = true},
        absl::Seconds(30));
    ASSERT_TRUE(made.ok() && made->exit.ok());
    int to_server[2];
    int from_server[2];
    ASSERT_EQ(pipe(to_server), 0);
    ASSERT_EQ(pipe(from_server), 0);
    input_ = to_server[1];
    server_.emplace(base::Process::Spawn(
                        {.argv = {"python3", std::getenv("GIT_HTTPS_SERVER"),
                                  directory_.File("certificate.pem"), directory_.File("key.pem"),
                                  directory_.File("served"), "s3cret"},
                         .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}},
                         .fds = {{0, to_server[0]}, {1, from_server[1]}}})
                        .value());
    close(to_server[0]);
    close(from_server[1]);
    char text[16] = {};
    ASSERT_GT(read(from_server[0], text, sizeof text - 1), 0);
    close(from_server[0]);
    port_ = std::string(absl::StripAsciiWhitespace(text));
    WriteFile(directory_.File("token"), "s3cret\n");
    access_ = {.token_file = directory_.File("token"),
               .ca_file = directory_.File("certificate.pem"),
               .timeout = absl::Seconds(60)};
  }

  void TearDown() override {
    if (input_ >= 0) close(input_);
  }

  RemoteUrl Url(const std::string& path = "/shop.git") {
    return ParseRemoteUrl(absl::StrCat("https://127.0.0.1:", port_, path)).value();
  }

  int input_ = -1;
  std::optional<base::Process> server_;
  std::string port_;
  RemoteAccess access_;
};

TEST_F(HttpsTest, RefsAndObjectsGoBothWays) { ExchangeEverything(Url(), access_); }

TEST_F(HttpsTest, WrongAndMissingCredentialsAreNamed) {
  WriteFile(directory_.File("token"), "wrong\n");
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_AUTH_REFUSED"));
  access_.token_file.clear();
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_AUTH_REFUSED"));
  access_.token_file = directory_.File("absent");
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_AUTH_REFUSED"));
}

TEST_F(HttpsTest, ACertificateThatNobodyVouchesForIsRefused) {
  access_.ca_file.clear();
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_HOST_UNKNOWN"));
  EXPECT_FALSE(mirror_.FindRef(kMirrored)->has_value());
}

TEST_F(HttpsTest, CredentialsDoNotFollowARedirect) {
  EXPECT_FALSE(Fetch(Url("/elsewhere/shop.git"), access_).ok());
  EXPECT_NE(access(directory_.File("served/seen").c_str(), F_OK), 0) << "a redirect was followed";
}

TEST_F(HttpsTest, AServerThatSaysNothingIsGivenUp) {
  access_.timeout = absl::Seconds(2);
  EXPECT_THAT(Fetch(Url("/hang/shop.git"), access_), FailsWithReason("REMOTE_UNREACHABLE"));
  access_.timeout = absl::Seconds(60);
  EXPECT_OK(Fetch(Url(), access_)) << "it was not there at all";
}

TEST_F(HttpsTest, WhatDoesNotListenIsUnreachable) {
  const RemoteUrl nowhere = ParseRemoteUrl("https://127.0.0.1:1/shop.git").value();
  EXPECT_THAT(Fetch(nowhere, access_), FailsWithReason("REMOTE_UNREACHABLE"));
}

TEST_F(HttpsTest, MoreThanTheLimitIsRefused) {
  const std::string work = directory_.File("work");
  std::string noise;
  Random random(1);
  for (int i = 0; i < 400'000; ++i) noise.push_back(static_cast<char>(random.Below(256)));
  WriteFile(work + "/noise", noise);
  CommitAll(work, "large");
  Git(work, {"push", "-q", served_, "main"});
  access_.bytes_max = 200'000;
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_TOO_LARGE"));
  EXPECT_FALSE(mirror_.FindRef(kMirrored)->has_value());
  access_.bytes_max = 2'000'000;
  EXPECT_OK(Fetch(Url(), access_));
}

class SshTest : public RemoteFixture {
 protected:
  void SetUp() override {
    SLIPWAY_NEEDS(access("/usr/sbin/sshd", X_OK) == 0 && geteuid() == 0,
                  "sshd, and the right to start it");
    mkdir("/run/sshd", 0755);
    MakeKey("host");
    MakeKey("user");
    port_ = FreePort();
    const std::string config = directory_.File("sshd_config");
    WriteFile(
        config,
        absl::StrCat("Port ", port_, "\nListenAddress 127.0.0.1\nHostKey ", directory_.File("host"),
                     "\nAuthorizedKeysFile ", directory_.File("user.pub"),
                     "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
                     "KbdInteractiveAuthentication no\nPidFile none\n"
                     "PermitRootLogin prohibit-password\nSetEnv GIT_CONFIG_NOSYSTEM=1\n"));
    server_.emplace(
        base::Process::Spawn({.argv = {"/usr/sbin/sshd", "-D", "-f", config}, .inherit_env = true})
            .value());
    while (!Listens()) {
      ASSERT_TRUE(absl::IsDeadlineExceeded(server_->Wait(absl::Milliseconds(20)).status()))
          << "sshd has ended";
    }
    const std::string key = base::ReadFile(directory_.File("host.pub")).value();
    WriteFile(directory_.File("known_hosts"), absl::StrCat("[localhost]:", port_, " ", key));
    access_ = {.ssh_key_file = directory_.File("user"),
               .known_hosts_file = directory_.File("known_hosts"),
               .timeout = absl::Seconds(60)};
  }

  void MakeKey(const std::string& name) {
    const auto made = base::RunCommand(
        {.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory_.File(name)},
         .inherit_env = true},
        absl::Seconds(30));
    ASSERT_TRUE(made.ok() && made->exit.ok());
  }

  // One that nobody listens on now.
  static int FreePort() {
    const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    close(socket_fd);
    return ntohs(address.sin_port);
  }

  bool Listens() const {
    const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address{.sin_family = AF_INET,
                              .sin_port = htons(static_cast<uint16_t>(port_)),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const bool connected =
        connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(socket_fd);
    return connected;
  }

  RemoteUrl Url() {
    return ParseRemoteUrl(
               absl::StrCat("ssh://", getpwuid(geteuid())->pw_name, "@localhost:", port_, served_))
        .value();
  }

  std::optional<base::Process> server_;
  int port_ = 0;
  RemoteAccess access_;
};

TEST_F(SshTest, RefsAndObjectsGoBothWays) { ExchangeEverything(Url(), access_); }

TEST_F(SshTest, AHostWithoutAKnownKeyIsRefused) {
  WriteFile(directory_.File("known_hosts"), "");
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_HOST_UNKNOWN"));
  access_.known_hosts_file.clear();
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_HOST_UNKNOWN"));
}

TEST_F(SshTest, AHostWithAnotherKeyIsRefused) {
  const std::string other = base::ReadFile(directory_.File("user.pub")).value();
  WriteFile(directory_.File("known_hosts"), absl::StrCat("[localhost]:", port_, " ", other));
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_HOST_UNKNOWN"));
}

TEST_F(SshTest, AKeyThatTheHostDoesNotKnowIsNamed) {
  MakeKey("stranger");
  access_.ssh_key_file = directory_.File("stranger");
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_AUTH_REFUSED"));
}

TEST_F(SshTest, AFileNameThatAShellReadsIsRefused) {
  access_.ssh_key_file = "/tmp/key;id";
  EXPECT_THAT(Fetch(Url(), access_), FailsWithReason("REMOTE_URL_INVALID"));
}

}  // namespace
}  // namespace slipway::git
