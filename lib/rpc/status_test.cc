#include "lib/rpc/status.h"

#include <string>

#include "google/rpc/status.pb.h"
#include "lib/base/error.h"
#include "lib/log/context.h"
#include "lib/log/scoped_sink.h"
#include "lib/testkit/matchers.h"

namespace slipway::rpc {
namespace {

TEST(StatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_OK(FromGrpcStatus(grpc::Status::OK));
}

TEST(StatusTest, EveryCodeSurvivesTheRoundTrip) {
  const log::ScopedSink silent([](absl::string_view) {});
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "text");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)).code(), status.code());
  }
}

TEST(StatusTest, DetailSurvivesTheRoundTrip) {
  const absl::Status status =
      base::RetryableError(absl::StatusCode::kResourceExhausted, "BUDGET_SPENT", "no money left",
                           absl::Seconds(3) + absl::Nanoseconds(5), {{"budget", "b1"}, {"x", ""}});

  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));

  EXPECT_EQ(back.message(), "no money left");
  const auto detail = base::DetailOf(back);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "BUDGET_SPENT");
  EXPECT_EQ(detail->metadata, (std::map<std::string, std::string>{{"budget", "b1"}, {"x", ""}}));
  EXPECT_EQ(detail->retry_after, absl::Seconds(3) + absl::Nanoseconds(5));
}

TEST(StatusTest, ErrorInfoTravelsUnderTheNameThatOtherClientsKnow) {
  const grpc::Status status =
      ToGrpcStatus(base::Error(absl::StatusCode::kNotFound, "PLAN_NOT_FOUND", "no plan"));

  google::rpc::Status proto;
  ASSERT_TRUE(proto.ParseFromString(status.error_details()));
  EXPECT_EQ(proto.code(), 5);
  EXPECT_EQ(proto.message(), "no plan");
  ASSERT_EQ(proto.details_size(), 1);
  EXPECT_EQ(proto.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
}

TEST(StatusTest, MessageIsCutBetweenCharacters) {
  const std::string text(std::string(1'023, 'a') + "\xC3\xA9");
  const grpc::Status status = ToGrpcStatus(absl::NotFoundError(text));

  EXPECT_EQ(status.error_message(), std::string(1'023, 'a'));
}

TEST(StatusTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("a\xFF")).error_message(), "a\xEF\xBF\xBD");
}

TEST(StatusTest, MetadataBeyondTheLimitIsLeftOut) {
  const grpc::Status status =
      ToGrpcStatus(base::Error(absl::StatusCode::kNotFound, "R", "m",
                               {{"a", "kept"}, {"b", std::string(5'000, 'x')}, {"c", "after"}}));

  const auto detail = base::DetailOf(FromGrpcStatus(status));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->metadata, (std::map<std::string, std::string>{{"a", "kept"}}));
}

TEST(StatusTest, InternalTextIsReplacedAndMetadataDropped) {
  std::string logged;
  const log::ScopedSink sink([&](absl::string_view line) { logged = std::string(line); });
  const log::ScopedContext context({.request_id = "request-5"});

  const absl::Status seen = FromGrpcStatus(ToGrpcStatus(
      base::Error(absl::StatusCode::kInternal, "DISK_BROKEN", "secret path", {{"path", "/x"}})));

  EXPECT_EQ(seen.message(), "internal error (request request-5)");
  EXPECT_EQ(base::ReasonOf(seen), "DISK_BROKEN");
  EXPECT_TRUE(base::DetailOf(seen)->metadata.empty());
  EXPECT_THAT(logged, ::testing::HasSubstr("secret path"));
}

TEST(StatusTest, DetailsOfOtherDomainsOrNoSenseAreIgnored) {
  const absl::Status status =
      FromGrpcStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "text", "\x01garbage"));

  EXPECT_EQ(status, absl::NotFoundError("text"));
}

TEST(StatusTest, CodeBeyondTheKnownOnesIsUnknown) {
  EXPECT_EQ(FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(20), "x")).code(),
            absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace slipway::rpc
