#include "services/models/storage/hold_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::models {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;
using Step = HoldNotes::Step;

class HoldNotesTest : public ::testing::Test {
 protected:
  std::unique_ptr<HoldNotes> Open() { return HoldNotes::Open(path_).value(); }
  size_t FileBytes() const { return base::ReadFile(path_).value().size(); }

  testkit::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("notes");
};

TEST_F(HoldNotesTest, SurviveWhoMadeThem) {
  auto notes = Open();
  ASSERT_OK(notes->BeginFor("models-1"));
  ASSERT_OK(notes->Add("call-1"));
  ASSERT_OK(notes->Add("call-2"));
  ASSERT_OK(notes->Add("call-3"));
  ASSERT_OK(notes->MarkSending("call-2"));
  notes->Remove("call-1");

  notes = Open();

  EXPECT_EQ(notes->left_owner(), "models-1");
  EXPECT_THAT(notes->Of("models-1"), Optional(ElementsAre(Pair("call-2", Step::kSending),
                                                          Pair("call-3", Step::kHolding))));
  EXPECT_EQ(notes->Of("models-0"), std::nullopt);
}

TEST_F(HoldNotesTest, OfTheLastInstanceAreForgottenWhenTheNextBegins) {
  auto notes = Open();
  ASSERT_OK(notes->BeginFor("models-1"));
  ASSERT_OK(notes->Add("call-1"));
  notes = Open();

  ASSERT_OK(notes->BeginFor("models-2"));
  ASSERT_OK(notes->Add("call-2"));

  EXPECT_EQ(notes->Of("models-1"), std::nullopt);
  EXPECT_THAT(notes->Of("models-2"), Optional(ElementsAre(Pair("call-2", Step::kHolding))));
  notes = Open();
  EXPECT_THAT(notes->Of("models-2"), Optional(ElementsAre(Pair("call-2", Step::kHolding))));
}

TEST_F(HoldNotesTest, PlacesAreUsedAgain) {
  auto notes = Open();
  ASSERT_OK(notes->BeginFor("models-1"));
  ASSERT_OK(notes->Add("stays"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(notes->Add(absl::StrCat("call-", i)));
    notes->Remove(absl::StrCat("call-", i));
  }
  ASSERT_OK(notes->Add("last"));

  EXPECT_LE(FileBytes(), 3u * 256);
  EXPECT_THAT(Open()->Of("models-1"),
              Optional(ElementsAre(Pair("last", Step::kHolding), Pair("stays", Step::kHolding))));
}

TEST_F(HoldNotesTest, ATryThatIsNotedAgainHasOneNote) {
  auto notes = Open();
  ASSERT_OK(notes->BeginFor("models-1"));
  ASSERT_OK(notes->Add("call-1"));
  ASSERT_OK(notes->MarkSending("call-1"));
  ASSERT_OK(notes->Add("call-1"));

  EXPECT_THAT(Open()->Of("models-1"), Optional(ElementsAre(Pair("call-1", Step::kHolding))));
  notes->Remove("call-1");
  EXPECT_THAT(Open()->Of("models-1"), Optional(ElementsAre()));
}

TEST_F(HoldNotesTest, WhatIsNoFileOfNotesTellsNothing) {
  ASSERT_OK(base::WriteFileAtomic(path_, std::string(1'000, 'x')));
  auto notes = Open();

  EXPECT_EQ(notes->left_owner(), "");
  EXPECT_EQ(notes->Of(""), std::nullopt);
  ASSERT_OK(notes->BeginFor("models-1"));
  EXPECT_OK(notes->Add("call-1"));
}

TEST_F(HoldNotesTest, RefusesWhatHasNoRoomOrWasNotNoted) {
  auto notes = Open();
  ASSERT_OK(notes->BeginFor("models-1"));

  EXPECT_OK(notes->Add(std::string(254, 'x')));
  EXPECT_THAT(notes->Add(std::string(255, 'x')), testkit::FailsWithReason("CALL_ID_INVALID"));
  EXPECT_FALSE(notes->MarkSending("nobody").ok());
  EXPECT_EQ(Open()->Of("models-1")->size(), 1u);
}

}  // namespace
}  // namespace slipway::models
