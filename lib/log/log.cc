#include "lib/log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/log/context.h"
#include "lib/log/line_writer.h"
#include "lib/log/scoped_sink.h"

namespace slipway::log {
namespace {

std::atomic<Level> minimum_level = Level::kInfo;

struct Output {
  base::Mutex mutex;
  std::string service ABSL_GUARDED_BY(mutex);
  ScopedSink::Sink sink ABSL_GUARDED_BY(mutex);  // Empty: stderr.
};

// Never destroyed, so that threads may log until the very end of the process.
Output& TheOutput() {
  static Output& output = *new Output;
  return output;
}

const char* LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

// A log that cannot be written has nowhere to complain: what is left is dropped.
void WriteToStderr(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void Write(Level level, const char* message, Fields fields) {
  if (level < minimum_level.load(std::memory_order_relaxed)) return;
  Output& output = TheOutput();
  LineWriter writer(kLineBytesMax - 1);  // The newline counts.
  writer.Add("time", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", base::RealClock().Now(),
                                      absl::UTCTimeZone()));
  writer.Add("level", LevelName(level));

  base::MutexLock lock(output.mutex);
  if (!output.service.empty()) writer.Add("service", output.service);
  writer.Add("message", message);
  const Context& context = CurrentContext();
  if (!context.request_id.empty()) writer.Add("request_id", context.request_id);
  if (!context.trace_id.empty()) writer.Add("trace_id", context.trace_id);
  for (const Field& field : fields) writer.Add(field.key, field.value);
  std::string line = std::move(writer).Finish();
  if (output.sink) {
    output.sink(line);
  } else {
    WriteToStderr(line += '\n');
  }
}

}  // namespace

void Init(absl::string_view service, const Options& options) {
  {
    Output& output = TheOutput();
    base::MutexLock lock(output.mutex);
    output.service = std::string(service);
  }
  const char* text = getenv("SLIPWAY_LOG_LEVEL");
  const std::optional<Level> chosen =
      options.level.has_value() || text == nullptr ? options.level : ParseLevel(text);
  minimum_level = chosen.value_or(Level::kInfo);
  if (!chosen.has_value() && text != nullptr) {
    Warning("unknown SLIPWAY_LOG_LEVEL; use debug, info, warning or error", {{"value", text}});
  }
}

void Debug(const char* message, Fields fields) { Write(Level::kDebug, message, fields); }
void Info(const char* message, Fields fields) { Write(Level::kInfo, message, fields); }
void Warning(const char* message, Fields fields) { Write(Level::kWarning, message, fields); }
void Error(const char* message, Fields fields) { Write(Level::kError, message, fields); }

std::optional<Level> ParseLevel(absl::string_view text) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError}) {
    if (absl::AsciiStrToLower(text) == LevelName(level)) return level;
  }
  return std::nullopt;
}

ScopedSink::ScopedSink(Sink sink) {
  Output& output = TheOutput();
  base::MutexLock lock(output.mutex);
  outer_ = std::exchange(output.sink, std::move(sink));
}

ScopedSink::~ScopedSink() {
  Output& output = TheOutput();
  base::MutexLock lock(output.mutex);
  output.sink = std::move(outer_);
}

}  // namespace slipway::log
