#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expression` from the enclosing function unless it is OK.
#define RETURN_IF_ERROR(expression)                  \
  do {                                               \
    absl::Status slipway_status = (expression);      \
    if (!slipway_status.ok()) return slipway_status; \
  } while (false)

// Declares or assigns the value of `expression`, a StatusOr, or returns its status.
// A declared type that contains a comma must be aliased first.
#define ASSIGN_OR_RETURN(declaration, expression) \
  SLIPWAY_ASSIGN_OR_RETURN_(SLIPWAY_CONCAT_(slipway_statusor_, __LINE__), declaration, expression)

#define SLIPWAY_CONCAT_INNER_(a, b) a##b
#define SLIPWAY_CONCAT_(a, b) SLIPWAY_CONCAT_INNER_(a, b)
#define SLIPWAY_ASSIGN_OR_RETURN_(statusor, declaration, expression) \
  auto statusor = (expression);                                      \
  if (!statusor.ok()) return std::move(statusor).status();           \
  declaration = *std::move(statusor)
