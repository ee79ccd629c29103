#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "lib/base/executor.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "services/ledger/rpc/transact_reactor.h"

namespace slipway::ledger {

// LedgerService over its handlers and, for Transact, its streams. Reads run on `executor`, audits,
// which are long, on `audits`. All must outlive the service, and the service the server that it is
// registered with.
std::unique_ptr<grpc::Service> BindLedgerService(LedgerHandlers& handlers, TransactStreams& streams,
                                                 base::Executor& executor, base::Executor& audits);

}  // namespace slipway::ledger
