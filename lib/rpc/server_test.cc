#include "lib/rpc/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <future>
#include <set>
#include <string>
#include <thread>

#include <google/protobuf/descriptor.pb.h>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/echo_fixture.h"

namespace slipway::rpc {
namespace {

using testkit::FailsWithReason;
using testkit::StatusIs;

class ServerTest : public EchoFixture {
 protected:
  absl::StatusOr<grpc::health::v1::HealthCheckResponse> Check(const std::string& service) {
    const auto health = grpc::health::v1::Health::NewStub(channel_);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    return CallUnary(*health, &grpc::health::v1::Health::StubInterface::Check, request);
  }

  std::string socket_path() const { return directory_.File("echo.sock"); }
};

TEST_F(ServerTest, SocketIsPrivateToTheUser) {
  struct stat info = {};
  ASSERT_EQ(stat(socket_path().c_str(), &info), 0);

  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ServerTest, SecondServerOnALiveSocketIsRefused) {
  EXPECT_THAT(Server::Start({.address = server_->address()}), FailsWithReason("ADDRESS_IN_USE"));
  EXPECT_OK(CallUnary(*stub_, &Stub::Echo, Text("still there")));
}

TEST_F(ServerTest, SocketOfADeadProcessIsReplaced) {
  const std::string path = directory_.File("stale.sock");
  {
    const base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_OK(Server::Start({.address = "unix:" + path}));
}

TEST_F(ServerTest, FileThatIsNoSocketIsNeverReplaced) {
  const std::string path = directory_.File("precious");
  ASSERT_OK(base::WriteFileAtomic(path, "data"));

  EXPECT_THAT(Server::Start({.address = "unix:" + path}), FailsWithReason("SOCKET_PATH_TAKEN"));
  EXPECT_THAT(base::ReadFile(path), testkit::IsOkAndHolds("data"));
}

TEST_F(ServerTest, SocketPathLimitIsExact) {
  const std::string base_path = directory_.path() + "/";
  const std::string longest = base_path + std::string(107 - base_path.size(), 's');

  EXPECT_OK(Server::Start({.address = "unix:" + longest}));
  EXPECT_THAT(Server::Start({.address = "unix:" + longest + "s"}),
              FailsWithReason("SOCKET_PATH_TOO_LONG"));
}

TEST_F(ServerTest, AddressWithoutADirectoryIsANamedError) {
  EXPECT_THAT(Server::Start({.address = "unix:" + directory_.File("missing/echo.sock")}),
              FailsWithReason("ADDRESS_UNAVAILABLE"));
}

TEST_F(ServerTest, MalformedAddressesAreNamedErrors) {
  for (const std::string address :
       {"", "unix:relative", "localhost", ":80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"}) {
    EXPECT_THAT(Server::Start({.address = address}), FailsWithReason("ADDRESS_INVALID")) << address;
  }
}

TEST_F(ServerTest, PortZeroPicksAPortThatNobodyElseCanTake) {
  EchoService service(executor_, handlers_);
  ASSERT_OK_AND_ASSIGN(const auto tcp,
                       Server::Start({.address = "127.0.0.1:0", .services = {&service}}));

  EXPECT_GT(tcp->port(), 0);
  EXPECT_EQ(tcp->address(), absl::StrCat("127.0.0.1:", tcp->port()));
  const auto stub = pb::EchoService::NewStub(MakeChannel(tcp->address()));
  EXPECT_OK(CallUnary(*stub, &Stub::Echo, Text("hello")));
  EXPECT_THAT(Server::Start({.address = tcp->address()}), FailsWithReason("ADDRESS_UNAVAILABLE"));
}

TEST_F(ServerTest, MessageAboveTheLimitIsRefused) {
  EchoService service(executor_, handlers_);
  ASSERT_OK_AND_ASSIGN(const auto small,
                       Server::Start({.address = "unix:" + directory_.File("small.sock"),
                                      .services = {&service},
                                      .max_message_bytes = 1'000}));
  const auto stub = pb::EchoService::NewStub(MakeChannel(small->address()));

  EXPECT_OK(CallUnary(*stub, &Stub::Echo, Text(std::string(800, 'x'))));
  EXPECT_THAT(CallUnary(*stub, &Stub::Echo, Text(std::string(1'001, 'x'))),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(ServerTest, HealthFollowsSetServing) {
  using Response = grpc::health::v1::HealthCheckResponse;
  for (const std::string service : {"", "slipway.rpc.test.v1.EchoService"}) {
    server_->SetServing(true);
    ASSERT_OK_AND_ASSIGN(const Response up, Check(service));
    EXPECT_EQ(up.status(), Response::SERVING);
    server_->SetServing(false);
    ASSERT_OK_AND_ASSIGN(const Response down, Check(service));
    EXPECT_EQ(down.status(), Response::NOT_SERVING);
  }
  EXPECT_THAT(Check("unknown.Service"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ServerTest, ShutdownLetsARunningCallFinish) {
  Server::Options options{.address = "unix:" + directory_.File("drain.sock"),
                          .drain_timeout = absl::Minutes(1)};
  EchoService service(executor_, handlers_);
  options.services = {&service};
  ASSERT_OK_AND_ASSIGN(const auto server, Server::Start(options));
  const auto stub = pb::EchoService::NewStub(MakeChannel(server->address()));
  auto result = std::async(std::launch::async,
                           [&] { return CallUnary(*stub, &Stub::Hold, pb::HoldRequest()); });
  handlers_.AwaitHeld();

  std::thread shutdown([&] { server->Shutdown(); });
  // Draining has begun once new calls fail.
  const auto late = pb::EchoService::NewStub(MakeChannel(server->address()));
  while (CallUnary(*late, &Stub::Echo, Text("")).ok()) std::this_thread::yield();
  handlers_.Release();
  shutdown.join();

  EXPECT_OK(result.get());
}

TEST_F(ServerTest, ShutdownCancelsWhatOutlivesTheDrain) {
  auto result = std::async(std::launch::async, [&] {
    return CallUnary(*stub_, &Stub::Hold, pb::HoldRequest(), {.timeout = absl::Minutes(1)});
  });
  const Call call = handlers_.AwaitHeld();

  // The handler reacts to the cancellation, as every long handler must.
  std::thread handler([&] {
    while (!call.IsCancelled()) std::this_thread::yield();
    handlers_.Release();
  });
  server_->Shutdown();
  handler.join();

  EXPECT_FALSE(result.get().ok());
}

TEST_F(ServerTest, ClientReconnectsToARestartedServer) {
  ASSERT_OK(CallUnary(*stub_, &Stub::Echo, Text("before")));
  const auto old_stub = std::move(stub_);
  server_.reset();
  EXPECT_THAT(CallUnary(*old_stub, &Stub::Echo, Text("down")),
              StatusIs(absl::StatusCode::kUnavailable));
  StartServer();

  EXPECT_OK(CallUnary(*old_stub, &Stub::Echo, Text("after"), {.wait_for_ready = true}));
}

template <typename Version>
class ReflectionTest : public ServerTest {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;

  Response Ask(const Request& request) {
    const auto stub = Version::Service::NewStub(channel_);
    grpc::ClientContext context;
    const auto stream = stub->ServerReflectionInfo(&context);
    Response response;
    EXPECT_TRUE(stream->Write(request));
    EXPECT_TRUE(stream->Read(&response));
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return response;
  }

  static std::set<std::string> FileNames(const Response& response) {
    std::set<std::string> names;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.insert(file.name());
    }
    return names;
  }
};
using Versions = ::testing::Types<ReflectionV1, ReflectionV1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, ListsEveryService) {
  typename TypeParam::Request request;
  request.set_list_services("");
  const auto response = this->Ask(request);
  std::set<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.insert(service.name());
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                   "grpc.reflection.v1alpha.ServerReflection",
                                   "slipway.rpc.test.v1.EchoService"}));
}

TYPED_TEST(ReflectionTest, DescribesServicesMethodsAndTypes) {
  for (const char* symbol :
       {"slipway.rpc.test.v1.EchoService", "slipway.rpc.test.v1.EchoService.Echo",
        "slipway.rpc.test.v1.EchoRequest"}) {
    typename TypeParam::Request request;
    request.set_file_containing_symbol(symbol);
    EXPECT_EQ(this->FileNames(this->Ask(request)),
              std::set<std::string>{"lib/rpc/echo_for_test.proto"});
  }
}

TYPED_TEST(ReflectionTest, FilesComeWithTheirImports) {
  typename TypeParam::Request request;
  request.set_file_by_filename("google/rpc/status.proto");
  EXPECT_EQ(this->FileNames(this->Ask(request)),
            (std::set<std::string>{"google/rpc/status.proto", "google/protobuf/any.proto"}));
}

TYPED_TEST(ReflectionTest, TheTypeOfErrorDetailsIsKnownByItsNameOnTheWire) {
  typename TypeParam::Request request;
  request.set_file_containing_symbol("google.rpc.ErrorInfo");
  const auto response = this->Ask(request);
  google::protobuf::DescriptorPool pool;
  for (const std::string& file : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto proto;
    ASSERT_TRUE(proto.ParseFromString(file));
    pool.BuildFile(proto);
  }
  const google::protobuf::Descriptor* info = pool.FindMessageTypeByName("google.rpc.ErrorInfo");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->FindFieldByName("reason")->number(), 1);
  EXPECT_EQ(info->FindFieldByName("domain")->number(), 2);
  EXPECT_TRUE(info->FindFieldByName("metadata")->is_map());
}

TYPED_TEST(ReflectionTest, UnknownNamesAreAnsweredWithAnError) {
  typename TypeParam::Request request;
  request.set_host("here");
  request.set_file_containing_symbol("no.such.Symbol");
  const auto response = this->Ask(request);
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.valid_host(), "here");
  EXPECT_EQ(response.original_request().file_containing_symbol(), "no.such.Symbol");
}

TYPED_TEST(ReflectionTest, ExtensionsOfATypeAreAnswered) {
  typename TypeParam::Request known;
  known.set_all_extension_numbers_of_type("google.protobuf.MethodOptions");
  EXPECT_EQ(this->Ask(known).all_extension_numbers_response().base_type_name(),
            "google.protobuf.MethodOptions");
  typename TypeParam::Request unknown;
  unknown.set_all_extension_numbers_of_type("no.such.Type");
  EXPECT_TRUE(this->Ask(unknown).has_error_response());
  typename TypeParam::Request number;
  number.mutable_file_containing_extension()->set_containing_type("google.protobuf.MethodOptions");
  number.mutable_file_containing_extension()->set_extension_number(12'345);
  EXPECT_TRUE(this->Ask(number).has_error_response());
}

TYPED_TEST(ReflectionTest, EmptyQuestionIsAnError) {
  EXPECT_EQ(this->Ask({}).error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TYPED_TEST(ReflectionTest, ForwardedServicesCanBeListedToo) {
  this->server_.reset();
  ASSERT_OK_AND_ASSIGN(this->server_,
                       Server::Start({.address = "unix:" + this->directory_.File("gateway.sock"),
                                      .reflected_services = {"slipway.rpc.test.v1.EchoService"}}));
  this->channel_ = MakeChannel(this->server_->address());
  typename TypeParam::Request request;
  request.set_list_services("");
  EXPECT_EQ(this->Ask(request).list_services_response().service_size(), 4);
}

TEST_F(ServerTest, ForwardedServiceThatIsNotLinkedIsRefused) {
  EXPECT_THAT(Server::Start({.address = "127.0.0.1:0", .reflected_services = {"no.Such"}}),
              FailsWithReason("SERVICE_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::rpc
