#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "cli/client/connection.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {

// Rows that one command reads at most: more than a person looks at, less than fills a machine.
inline constexpr int kRowsMax = 20'000;

// All pages of a list in one response: `rows` gives the repeated field of a response.
template <typename Stub, typename Base, typename Request, typename Response, typename Rows>
absl::StatusOr<Response> AllPages(Connection& connection, Stub& stub,
                                  grpc::Status (Base::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  std::type_identity_t<Request> request, Rows rows) {
  Response all;
  while (true) {
    ASSIGN_OR_RETURN(Response page, connection.Call(stub, method, request));
    rows(all)->MergeFrom(*rows(page));
    if (page.next_page_token().empty() || rows(all)->size() >= kRowsMax) return all;
    request.set_page_token(page.next_page_token());
  }
}

}  // namespace slipway::cli
