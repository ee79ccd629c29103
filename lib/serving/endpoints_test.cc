#include "lib/serving/endpoints.h"

#include <gtest/gtest.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/proto_time.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::serving {
namespace {

using testkit::FailsWithReason;

config::v1::Listen ListenOn(const std::string& address, const std::string& admin_address) {
  config::v1::Listen listen;
  listen.set_address(address);
  listen.set_admin_address(admin_address);
  return listen;
}

TEST(EndpointsTest, ServesGrpcAndTheAdminPages) {
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Endpoints> endpoints,
      Endpoints::Start({.listen = ListenOn("127.0.0.1:0", "127.0.0.1:0"), .services = {}}));

  const auto health = grpc::health::v1::Health::NewStub(rpc::MakeChannel(endpoints->address()));
  EXPECT_OK(rpc::CallUnary(*health, &grpc::health::v1::Health::StubInterface::Check,
                           grpc::health::v1::HealthCheckRequest()));
  EXPECT_GT(endpoints->admin_port(), 0);
}

TEST(EndpointsTest, NoAdminAddressMeansNoAdminServer) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Endpoints> endpoints,
                       Endpoints::Start({.listen = ListenOn("127.0.0.1:0", ""), .services = {}}));

  EXPECT_EQ(endpoints->admin_port(), 0);
}

TEST(EndpointsTest, TakenAdminAddressStopsTheWholeStart) {
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Endpoints> first,
      Endpoints::Start({.listen = ListenOn("127.0.0.1:0", "127.0.0.1:0"), .services = {}}));
  const std::string taken = absl::StrCat("127.0.0.1:", first->admin_port());

  EXPECT_THAT(Endpoints::Start({.listen = ListenOn("127.0.0.1:0", taken), .services = {}}),
              FailsWithReason("ADDRESS_UNAVAILABLE"));
}

TEST(EndpointsTest, DrainTimeoutIsFiveSecondsUnlessGiven) {
  config::v1::Listen listen;
  EXPECT_EQ(DrainTimeout(listen), absl::Seconds(5));

  *listen.mutable_drain_timeout() = rpc::ToProto(absl::Milliseconds(200));
  EXPECT_EQ(DrainTimeout(listen), absl::Milliseconds(200));
}

}  // namespace
}  // namespace slipway::serving
