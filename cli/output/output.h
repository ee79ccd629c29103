#pragma once

#include <google/protobuf/message.h>

#include <iosfwd>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cli/output/exit_code.h"
#include "cli/output/style.h"
#include "cli/output/text_table.h"

namespace slipway::cli {

enum class Format { kTable, kJson };

// `message` as one line of JSON: snake_case names, unset scalars and empty lists included, 64-bit
// integers as text, as in the JSON form of proto3.
std::string JsonText(const google::protobuf::Message& message);

// Where a command prints: results on one stream, progress and errors for people on the other.
class Output final {
 public:
  struct Options {
    Format format = Format::kTable;
    bool colour = false;  // Both streams are for eyes.
    bool live = false;    // The result stream is a terminal that can be redrawn.
    int width = 0;        // Of the terminal; 0 when there is none.
    int height = 0;       // As width.
  };

  Output(std::ostream& results, std::ostream& progress, Options options)
      : results_(results), progress_(progress), options_(options) {}

  bool json() const { return options_.format == Format::kJson; }
  bool colour() const { return options_.colour; }
  bool live() const { return options_.live && !json(); }
  int width() const { return options_.width; }
  int height() const { return options_.height; }

  // Text of the result, as it is.
  void Print(absl::string_view text);

  // A line of the result.
  void Line(absl::string_view text);

  void Table(const TextTable& table);

  // `message` as a line of JSON.
  void Json(const google::protobuf::Message& message);

  // A line about what is going on; never part of the result.
  void Progress(absl::string_view text);

  // A line that says what to do next, if there is something.
  void Hint(absl::string_view text);

  // `text` in the colour of `tone` where colours are shown.
  std::string Painted(Tone tone, absl::string_view text) const;

  // Says what failed and what to do next, and returns the exit code that follows. With JSON the
  // error is an object on the result stream.
  ExitCode Fail(const absl::Status& status);

 private:
  std::ostream& results_;
  std::ostream& progress_;
  const Options options_;
};

}  // namespace slipway::cli
