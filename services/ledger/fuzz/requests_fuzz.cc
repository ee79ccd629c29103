// Requests in any order, as a hostile caller could send them: decoded from bytes, converted,
// decided and stored. Whatever they are, every invariant of the ledger holds afterwards.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/sequential_ids.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "services/ledger/storage/sqlite_ledger_store.h"

namespace slipway::ledger {
namespace {

constexpr int kRequestsMax = 64;
constexpr size_t kFrameBytes = 3;  // The method, and the length of the request in two bytes.

class Session final {
 public:
  Session()
      : store_(SqliteLedgerStore::Open({.path = ":memory:", .own_thread = false}, clock_, ids_)
                   .value()),
        handlers_(*store_) {}

  void Send(uint8_t method, const std::string& bytes) {
    switch (method % 18) {
      case 0:
        return Write(bytes, &LedgerHandlers::Reserve);
      case 1:
        return Write(bytes, &LedgerHandlers::Settle);
      case 2:
        return Write(bytes, &LedgerHandlers::Release);
      case 3:
        return Write(bytes, &LedgerHandlers::Extend);
      case 4:
        return Write(bytes, &LedgerHandlers::TopUp);
      case 5:
        return Write(bytes, &LedgerHandlers::Adjust);
      case 6:
        return Write(bytes, &LedgerHandlers::CloseOwner);
      case 7:
        return Write(bytes, &LedgerHandlers::FreezeScope);
      case 8:
        return Write(bytes, &LedgerHandlers::Quote);
      case 9:
        return Write(bytes, &LedgerHandlers::SetBudget);
      case 10:
        return Write(bytes, &LedgerHandlers::DeleteBudget);
      case 11:
        return Write(bytes, &LedgerHandlers::ImportPrices);
      case 12:
        return Read(bytes, &LedgerHandlers::ListReservations);
      case 13:
        return Read(bytes, &LedgerHandlers::ListBalances);
      case 14:
        return Read(bytes, &LedgerHandlers::QueryUsage);
      case 15:
        Read(bytes, &LedgerHandlers::GetBudget);
        return Read(bytes, &LedgerHandlers::ListFrozenScopes);
      case 16:
        Read(bytes, &LedgerHandlers::ListPrices);
        return Read(bytes, &LedgerHandlers::ListUsage);
      default:
        return Wait(bytes.size());
    }
  }

  void CheckInvariants() {
    const absl::StatusOr<AuditResult> audit = store_->Audit();
    if (!audit.ok()) Fail("no audit", audit.status().ToString());
    for (const AuditCheck& check : audit->checks) {
      if (!check.breaches.empty()) Fail(check.invariant, check.breaches[0]);
    }
  }

 private:
  template <typename Request, typename Response>
  void Write(const std::string& bytes,
             void (LedgerHandlers::*method)(const rpc::Call&, const Request&,
                                            base::Reply<Response>)) {
    Request request;
    if (!request.ParseFromString(bytes)) return;
    bool answered = false;
    (handlers_.*method)(rpc::Call({.principal = "fuzz"}), request,
                        base::Reply<Response>([&answered](absl::StatusOr<Response> response) {
                          answered = true;
                          if (response.ok()) response->SerializeAsString();
                          if (!response.ok() && absl::IsInternal(response.status())) {
                            Fail("internal error", response.status().ToString());
                          }
                        }));
    while (!answered) store_->RunQueued();
  }

  template <typename Request, typename Response>
  void Read(const std::string& bytes,
            absl::StatusOr<Response> (LedgerHandlers::*method)(const rpc::Call&, const Request&)) {
    Request request;
    if (!request.ParseFromString(bytes)) return;
    const absl::StatusOr<Response> response = (handlers_.*method)(rpc::Call(), request);
    if (!response.ok() && absl::IsInternal(response.status())) {
      Fail("internal error", response.status().ToString());
    }
  }

  // Up to some weeks, so that holds expire and windows end.
  void Wait(size_t minutes) {
    clock_.Advance(absl::Minutes(static_cast<int64_t>(minutes)));
    store_->RunQueued();
  }

  [[noreturn]] static void Fail(const std::string& what, const std::string& how) {
    std::fprintf(stderr, "%s: %s\n", what.c_str(), how.c_str());
    std::abort();
  }

  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<SqliteLedgerStore> store_;
  LedgerHandlers handlers_;
};

}  // namespace
}  // namespace slipway::ledger

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  slipway::ledger::Session session;
  for (int i = 0; i < slipway::ledger::kRequestsMax && size >= slipway::ledger::kFrameBytes; ++i) {
    const uint8_t method = data[0];
    size_t length = static_cast<size_t>(data[1]) + 256 * static_cast<size_t>(data[2]);
    data += slipway::ledger::kFrameBytes;
    size -= slipway::ledger::kFrameBytes;
    length = length < size ? length : size;
    session.Send(method, std::string(reinterpret_cast<const char*>(data), length));
    data += length;
    size -= length;
  }
  session.CheckInvariants();
  return 0;
}
