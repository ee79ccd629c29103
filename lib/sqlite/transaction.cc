#include "lib/sqlite/transaction.h"

#include "lib/base/error.h"

namespace slipway::sqlite {
namespace {

constexpr Sql kSavepoint = "SAVEPOINT step";
constexpr Sql kRollBackToSavepoint = "ROLLBACK TO step";
constexpr Sql kRelease = "RELEASE step";

}  // namespace

absl::Status Transaction::Nested(absl::FunctionRef<absl::Status()> step) {
  // Outside a transaction SAVEPOINT would begin one of its own.
  if (!connection().in_transaction()) {
    return base::Error(absl::StatusCode::kAborted, "TRANSACTION_ROLLED_BACK",
                       "an earlier failure has rolled this transaction back");
  }
  RETURN_IF_ERROR(connection().Run(kSavepoint));
  absl::Status result = step();
  if (!connection().in_transaction()) {
    if (!result.ok()) return result;
    return base::Error(absl::StatusCode::kAborted, "TRANSACTION_ROLLED_BACK",
                       "a failure has rolled this transaction back");
  }
  if (!result.ok()) RETURN_IF_ERROR(connection().Run(kRollBackToSavepoint));
  RETURN_IF_ERROR(connection().Run(kRelease));
  return result;
}

}  // namespace slipway::sqlite
