#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/http/request.h"
#include "lib/http/response_writer.h"

namespace slipway::http {

// Called on an io thread: must not block. May answer from any thread, at any time.
using Handler = std::function<void(Request, std::shared_ptr<ResponseWriter>)>;

// Maps methods and paths to handlers. A literal segment wins over a {name}, and a route over a
// prefix; the longest prefix wins. GET routes serve HEAD too. Built before the server starts and
// then only read.
class Router final {
 public:
  // `pattern` is like "/v1/projects/{id}" or "/v1/{id}:pause"; a {name} stands for one non-empty
  // segment, or the part of one before a literal suffix. The method "*" stands for any.
  void Route(absl::string_view method, absl::string_view pattern, Handler handler);

  // Serves every path that starts with `prefix`, which ends with '/'.
  void Prefix(absl::string_view method, absl::string_view prefix, Handler handler);

  // Calls the handler of the request's path and method, or answers 400, 404 or 405.
  void Serve(Request request, std::shared_ptr<ResponseWriter> writer) const;

 private:
  struct Segment {
    std::string literal;  // The whole segment, or what follows the variable.
    std::string variable;
  };
  struct Entry {
    std::string method;
    std::vector<Segment> segments;
    bool prefix = false;
    std::string rank;  // Entries are tried in its order.
    Handler handler;
  };

  void Insert(Entry entry);
  static bool Matches(const Entry& entry, const std::vector<std::string>& path,
                      std::map<std::string, std::string>& parameters);

  std::vector<Entry> entries_;
};

// {"error":{"code":"NOT_FOUND","message":"..."}}, the form of every error the server makes itself.
void SendError(ResponseWriter& writer, int status, absl::string_view code,
               absl::string_view message, Headers headers = {});

// The body that SendError sends.
std::string ErrorBody(absl::string_view code, absl::string_view message);

}  // namespace slipway::http
