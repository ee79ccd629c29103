#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/rpc/server.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::agent {

// The dispatcher's side of the agent's contract in memory. What it knows outlives its server, which
// can be stopped and started again on the same socket. Thread-safe.
class FakeDispatcher final : public v1::AgentService::Service {
 public:
  static constexpr char kToken[] = "token-of-the-test";
  static constexpr absl::Duration kPatience = absl::Seconds(40);

  struct Behaviour {
    absl::Duration beat_interval = absl::Milliseconds(50);
    std::optional<absl::Duration> idle_beat_interval;
    absl::Duration lease_timeout = absl::Seconds(20);
    bool answer_beats = true;
    v1::GrantVerdict::Verdict verdict = v1::GrantVerdict::VERDICT_KEEP;
    v1::SubmitResultResponse::Receipt receipt = v1::SubmitResultResponse::RECEIPT_ACCEPTED;
    int refused_submits = 0;  // The next so many are UNAVAILABLE.
    int protocol = 2;
  };

  void Start(const std::string& address) {
    server_ = rpc::Server::Start(
                  {.address = address, .services = {this}, .drain_timeout = absl::Milliseconds(10)})
                  .value();
  }
  void Stop() { server_.reset(); }

  void Offer(v1::Grant grant, std::string pack) {
    base::MutexLock lock(mutex_);
    grant_ = std::move(grant);
    pack_ = std::move(pack);
    granted_ = false;
    GrantIfIdle();
  }

  // A grant, of the same snapshot, for an agent that says that it is ready.
  void OfferNext(v1::Grant grant) {
    base::MutexLock lock(mutex_);
    next_grant_ = std::move(grant);
  }

  void Change(const std::function<void(Behaviour&)>& change) {
    base::MutexLock lock(mutex_);
    change(behaviour_);
  }

  void SayGoodbye() {
    base::MutexLock lock(mutex_);
    v1::SessionResponse response;
    response.mutable_goodbye()->set_reason("not needed");
    if (stream_ != nullptr) stream_->Write(response);
  }

  // Waits for `condition`, which is called under the lock; false when it stays false.
  bool Await(const std::function<bool()>& condition) {
    const absl::Duration deadline = base::RealClock().Elapsed() + kPatience;
    base::MutexLock lock(mutex_);
    while (!condition()) {
      const absl::Duration left = deadline - base::RealClock().Elapsed();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

  // What a snapshot is to be, in place of the offered pack: fills the pack, returns the base.
  using AnswerSnapshot = std::function<std::string(const v1::GetSnapshotRequest&, std::string&)>;
  void AnswerSnapshots(AnswerSnapshot answer) {
    base::MutexLock lock(mutex_);
    answer_snapshot_ = std::move(answer);
  }

  bool AwaitResult() {
    return Await([this] { return !results.empty(); });
  }
  bool AwaitPhase(const std::string& phase) {
    return Await([this, phase] {
      for (const v1::Progress& note : progress) {
        if (note.phase() == phase) return true;
      }
      return false;
    });
  }

  // What was seen. Read them under Await, or when the agent is gone.
  std::vector<v1::Hello> hellos;
  std::vector<v1::GrantAnswer> answers;
  std::vector<v1::Beat> beats;
  std::vector<v1::Progress> progress;
  std::vector<v1::SubmitResultRequest> results;
  int reports = 0;  // Results that came on the session.
  std::string log;
  bool log_has_gap = false;
  int snapshots = 0;
  struct SnapshotAnswer {
    v1::GetSnapshotRequest request;
    std::string base_commit;
    size_t bytes = 0;
  };
  std::vector<SnapshotAnswer> snapshot_answers;
  int sessions_over = 0;
  int unauthorized = 0;

 private:
  using Stream = grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>;

  grpc::Status Session(grpc::ServerContext* context, Stream* stream) override {
    if (!Authorized(*context)) return {grpc::StatusCode::UNAUTHENTICATED, "token"};
    v1::SessionRequest request;
    if (!stream->Read(&request) || !request.has_hello()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "no hello"};
    }
    Welcome(request.hello(), stream);
    while (stream->Read(&request)) Take(request);
    base::MutexLock lock(mutex_);
    if (stream_ == stream) stream_ = nullptr;
    ++sessions_over;
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  grpc::Status GetSnapshot(grpc::ServerContext* context, const v1::GetSnapshotRequest* request,
                           grpc::ServerWriter<v1::GetSnapshotResponse>* writer) override {
    if (!Authorized(*context)) return {grpc::StatusCode::UNAUTHENTICATED, "token"};
    std::string pack;
    v1::GetSnapshotResponse response;
    {
      base::MutexLock lock(mutex_);
      ++snapshots;
      pack = pack_;
      if (answer_snapshot_) response.set_base_commit(answer_snapshot_(*request, pack));
      snapshot_answers.push_back(
          {.request = *request, .base_commit = response.base_commit(), .bytes = pack.size()});
    }
    for (size_t from = 0; from < pack.size(); from += 100'000) {
      response.set_chunk(pack.substr(from, 100'000));
      writer->Write(response);
      response.clear_base_commit();
    }
    return grpc::Status::OK;
  }

  grpc::Status SubmitResult(grpc::ServerContext* context, const v1::SubmitResultRequest* request,
                            v1::SubmitResultResponse* response) override {
    if (!Authorized(*context)) return {grpc::StatusCode::UNAUTHENTICATED, "token"};
    base::MutexLock lock(mutex_);
    if (behaviour_.refused_submits > 0) {
      --behaviour_.refused_submits;
      return {grpc::StatusCode::UNAVAILABLE, "restarting"};
    }
    results.push_back(*request);
    response->set_receipt(behaviour_.receipt);
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  bool Authorized(const grpc::ServerContext& context) {
    const auto found = context.client_metadata().find("slipway-agent-token");
    if (found != context.client_metadata().end() && found->second == kToken) return true;
    base::MutexLock lock(mutex_);
    ++unauthorized;
    return false;
  }

  void Welcome(const v1::Hello& hello, Stream* stream) {
    base::MutexLock lock(mutex_);
    hellos.push_back(hello);
    stream_ = stream;
    v1::SessionResponse response;
    SetDuration(behaviour_.beat_interval, *response.mutable_welcome()->mutable_beat_interval());
    SetDuration(behaviour_.lease_timeout, *response.mutable_welcome()->mutable_lease_timeout());
    if (behaviour_.idle_beat_interval.has_value()) {
      SetDuration(*behaviour_.idle_beat_interval,
                  *response.mutable_welcome()->mutable_idle_beat_interval());
    }
    response.mutable_welcome()->set_protocol(std::min(behaviour_.protocol, hello.protocol()));
    for (const v1::HeldGrant& held : hello.held()) {
      AddVerdict(held, *response.mutable_welcome()->add_verdicts());
    }
    stream->Write(response);
    GrantIfIdle();
    changed_.NotifyAll();
  }

  void Take(const v1::SessionRequest& request) {
    base::MutexLock lock(mutex_);
    if (request.has_grant_answer()) answers.push_back(request.grant_answer());
    if (request.has_progress()) progress.push_back(request.progress());
    if (request.has_log()) TakeLog(request.log());
    if (request.has_result()) TakeReport(request.result());
    if (request.has_beat()) {
      beats.push_back(request.beat());
      if (behaviour_.answer_beats && stream_ != nullptr) {
        v1::SessionResponse response;
        response.mutable_beat_answer()->set_sequence(request.beat().sequence());
        for (const v1::HeldGrant& held : request.beat().held()) {
          AddVerdict(held, *response.mutable_beat_answer()->add_verdicts());
        }
        stream_->Write(response);
      }
    }
    changed_.NotifyAll();
  }

  void TakeReport(const v1::ResultReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++reports;
    v1::SessionResponse response;
    v1::ResultReceipt& receipt = *response.mutable_receipt();
    receipt.set_attempt(report.result().attempt());
    receipt.set_epoch(report.result().epoch());
    if (behaviour_.refused_submits > 0) {
      --behaviour_.refused_submits;
      receipt.mutable_error()->set_code(grpc::StatusCode::UNAVAILABLE);
    } else {
      results.push_back(report.result());
      receipt.set_receipt(behaviour_.receipt);
    }
    if (stream_ != nullptr) stream_->Write(response);
    if (!report.ready() || !next_grant_.has_value()) return;
    grant_ = std::exchange(next_grant_, std::nullopt);
    granted_ = false;
    GrantIfIdle();
  }

  void TakeLog(const v1::LogChunk& chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t offset = static_cast<size_t>(chunk.offset());
    if (offset > log.size()) {
      log_has_gap = true;
      return;
    }
    log.resize(offset);
    log.append(chunk.data());
  }

  void AddVerdict(const v1::HeldGrant& held, v1::GrantVerdict& verdict)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    verdict.set_attempt(held.attempt());
    verdict.set_epoch(held.epoch());
    verdict.set_verdict(behaviour_.verdict);
  }

  void GrantIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!grant_.has_value() || granted_ || stream_ == nullptr) return;
    granted_ = true;
    v1::SessionResponse response;
    *response.mutable_grant() = *grant_;
    stream_->Write(response);
  }

  static void SetDuration(absl::Duration duration, google::protobuf::Duration& proto) {
    proto.set_seconds(absl::ToInt64Seconds(duration));
    proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration % absl::Seconds(1))));
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  Behaviour behaviour_ ABSL_GUARDED_BY(mutex_);
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::optional<v1::Grant> grant_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Grant> next_grant_ ABSL_GUARDED_BY(mutex_);
  bool granted_ ABSL_GUARDED_BY(mutex_) = false;
  std::string pack_ ABSL_GUARDED_BY(mutex_);
  AnswerSnapshot answer_snapshot_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace slipway::agent
