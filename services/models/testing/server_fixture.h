#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/http/client.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "nlohmann/json.hpp"
#include "services/models/server.h"
#include "services/models/testing/fake_endpoint.h"
#include "services/models/testing/fake_ledger.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::models {

inline constexpr char kAttempt[] = "projects/p/plans/n/tasks/parse/attempts/1";

// What a Generate stream gave.
struct Generated {
  std::string text;
  v1::GenerateResponse::Outcome outcome;
};

// A real server with a scripted provider and an OpenAI-compatible one, between a fake ledger and a
// fake endpoint.
class ServerFixture : public ::testing::Test {
 protected:
  using Stub = v1::ModelsService::StubInterface;

  // Role "writer" is scripted, role "chat" goes to the endpoint, role "both" to the endpoint and
  // then to the script.
  std::string ConfigText() const {
    return absl::StrCat(
        "listen:\n  address: \"unix:", directory_.File("models.sock"),
        "\"\n  drain_timeout: 300ms\ndatabase: ", directory_.File("models.db"),
        "\nledger_address: \"", ledger_address_,
        "\"\nproxy_address: \"unix:", directory_.File("proxy.sock"),
        "\"\nproviders:\n"
        "  - name: scripted\n    scripted:\n      script: ",
        directory_.File("script.json"), "\n      call_log: ", directory_.File("calls.log"),
        "\n  - name: openai\n    openai_chat:\n      base_url: \"", endpoint_.base_url(),
        "\"\n      key_file: ", directory_.File("key"),
        "\n      allow_paid: true\n"
        "  - name: official\n    openai:\n      base_url: \"",
        endpoint_.base_url(), "\"\n      key_file: ", directory_.File("key"),
        "\n      allow_paid: true\n", "  - name: anthropic\n    anthropic:\n      base_url: \"",
        endpoint_.base_url(), "\"\n      key_file: ", directory_.File("key"),
        "\n      allow_paid: true\n", "  - name: ollama\n    openai_chat:\n      base_url: \"",
        endpoint_.base_url(), "\"\n      local: true\n",
        "routes:\n"
        "  - {role: emergency_pro_reviewer, provider: scripted, model: script-1}\n"
        "  - {role: official, provider: official, model: gpt-test, output_tokens_max: 1000}\n"
        "  - {role: claude, provider: anthropic, model: claude-test, output_tokens_max: 1000}\n"
        "  - {role: local, provider: ollama, model: llama, output_tokens_max: 1000}\n"
        "  - {role: writer, provider: scripted, model: script-1}\n"
        "  - {role: chat, provider: openai, model: gpt-test, output_tokens_max: 1000}\n"
        "  - {role: both, provider: openai, model: gpt-test}\n"
        "  - {role: both, provider: scripted, model: script-1}\n"
        "  - {role: approved, provider: scripted, model: script-1, manual_approval: true}\n");
  }

  void WriteScript(const std::string& rules) {
    ASSERT_OK(base::WriteFileAtomic(directory_.File("script.json"),
                                    absl::StrCat(R"({"version":1,"rules":[)", rules, "]}")));
  }

  void SetUp() override {
    ASSERT_OK(base::WriteFileAtomic(directory_.File("key"), "provider-key\n"));
    WriteScript(R"({"reply":"Hello, world","usage":{"input":10,"output":20}})");
  }

  void StartServer(base::Clock& clock = base::RealClock()) {
    const std::string text = config_.empty() ? ConfigText() : config_;
    ASSERT_OK_AND_ASSIGN(const auto config,
                         config::Parse<config::v1::ModelsConfig>(text, "test.yaml"));
    ASSERT_OK_AND_ASSIGN(server_, Server::Start(config, {clock, base::RandomIds()}));
    Connect();
  }
  void Connect() {
    channel_ = rpc::MakeChannel("unix:" + directory_.File("models.sock"));
    stub_ = v1::ModelsService::NewStub(channel_);
  }

  static v1::GenerateRequest Request(const std::string& call_id, const std::string& role,
                                     const std::string& prompt = "Say hello") {
    v1::GenerateRequest request;
    request.set_call_id(call_id);
    request.set_role(role);
    request.set_intent("plan");
    request.mutable_scopes()->set_project("projects/p");
    v1::PromptMessage& message = *request.add_messages();
    message.set_speaker(v1::PromptMessage::SPEAKER_USER);
    message.set_text(prompt);
    return request;
  }

  absl::StatusOr<Generated> Generate(const v1::GenerateRequest& request) {
    grpc::ClientContext context;
    const auto reader = stub_->Generate(&context, request);
    Generated generated;
    for (v1::GenerateResponse response; reader->Read(&response);) {
      generated.text += response.text();
      if (response.has_outcome()) generated.outcome = response.outcome();
    }
    RETURN_IF_ERROR(rpc::FromGrpcStatus(reader->Finish()));
    return generated;
  }

  std::string IssueKey(std::vector<std::string> roles = {"writer", "chat"}, int64_t limit = 0) {
    v1::IssueAttemptKeyRequest request;
    request.mutable_scopes()->set_attempt(kAttempt);
    request.set_epoch(1);
    for (const std::string& role : roles) request.add_roles(role);
    request.mutable_lifetime()->set_seconds(3'600);
    request.set_limit_usd_nanos(limit);
    return rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, request).value().key();
  }

  http::ClientRequest ChatRequest(const std::string& key, const std::string& role,
                                  const std::string& fields = "") const {
    return {.method = "POST",
            .url = "http://proxy/v1/chat/completions",
            .headers = {{"Authorization", "Bearer " + key}, {"Content-Type", "application/json"}},
            .body = absl::StrCat(R"({"model":")", role,
                                 R"(","messages":[{"role":"user","content":"Say hello"}])",
                                 fields.empty() ? "" : ",", fields, "}"),
            .unix_socket = directory_.File("proxy.sock")};
  }
  // A request of an agent in any dialect, by path and body.
  http::ClientRequest WireRequestTo(const std::string& key, const std::string& path,
                                    const std::string& body) const {
    http::ClientRequest request = ChatRequest(key, "");
    request.url = "http://proxy" + path;
    request.body = body;
    return request;
  }

  http::Client::Response Chat(const std::string& key, const std::string& role,
                              const std::string& fields = "") {
    return client_.Fetch(ChatRequest(key, role, fields));
  }

  std::vector<v1::Call> Calls() {
    return [](v1::ListCallsResponse response) {
      return std::vector<v1::Call>(response.calls().begin(), response.calls().end());
    }(rpc::CallUnary(*stub_, &Stub::ListCalls, v1::ListCallsRequest()).value());
  }

  std::vector<events::v1::Event> Events() {
    const auto stub = events::v1::EventLogService::NewStub(channel_);
    const auto response =
        rpc::CallUnary(*stub, &events::v1::EventLogService::StubInterface::ListEvents,
                       events::v1::ListEventsRequest())
            .value();
    return {response.events().begin(), response.events().end()};
  }

  // The provider's own books.
  std::vector<nlohmann::json> Books() const {
    std::vector<nlohmann::json> lines;
    const std::string text = base::ReadFile(directory_.File("calls.log")).value_or("");
    for (size_t start = 0; start < text.size();) {
      const size_t end = text.find('\n', start);
      lines.push_back(nlohmann::json::parse(text.substr(start, end - start)));
      start = end + 1;
    }
    return lines;
  }

  testkit::TemporaryDirectory directory_;
  std::string config_;  // Instead of ConfigText(), unless empty.
  const std::string ledger_address_ = "unix:" + directory_.File("ledger.sock");
  FakeLedger ledger_{ledger_address_};
  FakeEndpoint endpoint_;
  http::Client client_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ModelsService::Stub> stub_;
};

}  // namespace slipway::models
