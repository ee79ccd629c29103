#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/base/thread_pool.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/echo_for_test.grpc.pb.h"
#include "lib/rpc/serve.h"
#include "lib/rpc/server.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::rpc {

namespace pb = ::slipway::rpc::test::v1;

// Holds calls of Hold until Release.
class EchoHandlers final {
 public:
  absl::StatusOr<pb::EchoResponse> Echo(const Call& call, const pb::EchoRequest& request) const {
    if (request.code() != 0) {
      return base::RetryableError(static_cast<absl::StatusCode>(request.code()), request.reason(),
                                  request.text(), absl::Milliseconds(1'500), {{"key", "value"}});
    }
    pb::EchoResponse response;
    response.set_text(request.text());
    response.set_principal(call.principal());
    response.set_role(call.role());
    response.set_request_id(call.request_id());
    response.set_has_deadline(call.time_left() < absl::InfiniteDuration());
    return response;
  }

  void Hold(const Call& call, const pb::HoldRequest&, base::Reply<pb::HoldResponse> reply) {
    base::MutexLock lock(mutex_);
    call_ = call;
    reply_.emplace(std::move(reply));
    changed_.NotifyAll();
  }

  // The call that is held; waits until there is one.
  Call AwaitHeld() {
    base::MutexLock lock(mutex_);
    while (!reply_.has_value()) changed_.Wait(mutex_);
    return call_;
  }

  void Release() {
    base::Reply<pb::HoldResponse> reply = TakeReply();
    pb::HoldResponse response;
    response.set_cancelled(call_.IsCancelled());
    std::move(reply)(std::move(response));
  }

 private:
  base::Reply<pb::HoldResponse> TakeReply() {
    base::MutexLock lock(mutex_);
    base::Reply<pb::HoldResponse> reply = *std::move(reply_);
    reply_.reset();
    return reply;
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  Call call_;
  std::optional<base::Reply<pb::HoldResponse>> reply_;
};

class EchoService final : public pb::EchoService::CallbackService {
 public:
  EchoService(base::Executor& executor, EchoHandlers& handlers)
      : executor_(executor), handlers_(handlers) {}

  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const pb::EchoRequest* request,
                                 pb::EchoResponse* response) override {
    return ServeUnary(executor_, context, request, response, &handlers_, &EchoHandlers::Echo);
  }
  grpc::ServerUnaryReactor* Hold(grpc::CallbackServerContext* context,
                                 const pb::HoldRequest* request,
                                 pb::HoldResponse* response) override {
    return ServeAsync(context, request, response, &handlers_, &EchoHandlers::Hold);
  }

 private:
  base::Executor& executor_;
  EchoHandlers& handlers_;
};

// A real server on a Unix socket and a real channel to it.
class EchoFixture : public ::testing::Test {
 protected:
  using Stub = pb::EchoService::StubInterface;

  void SetUp() override { StartServer(); }

  void StartServer() {
    ASSERT_OK_AND_ASSIGN(server_, Server::Start({.address = "unix:" + directory_.File("echo.sock"),
                                                 .services = {&service_},
                                                 .drain_timeout = absl::Milliseconds(200)}));
    channel_ = MakeChannel(server_->address());
    stub_ = pb::EchoService::NewStub(channel_);
  }

  static pb::EchoRequest Text(const std::string& text) {
    pb::EchoRequest request;
    request.set_text(text);
    return request;
  }

  static pb::EchoRequest Failure(absl::StatusCode code, const std::string& text) {
    pb::EchoRequest request = Text(text);
    request.set_code(static_cast<int>(code));
    request.set_reason("TEST_FAILED");
    return request;
  }

  testkit::TemporaryDirectory directory_;
  EchoHandlers handlers_;
  base::ThreadPool executor_{{.threads = 2}};
  EchoService service_{executor_, handlers_};
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::EchoService::Stub> stub_;
};

}  // namespace slipway::rpc
