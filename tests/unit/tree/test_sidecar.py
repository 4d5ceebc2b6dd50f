"""Sidecars are read clip by clip, told apart by id or name, and edited without touching any other byte."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.errors import Rejected
from clipd.files.document import NotADocument
from clipd.model.clip import Clip
from clipd.model.crop import CropPath, Rect
from clipd.model.timespan import FrameSpan, TimeSpan
from clipd.tree import sidecar

CLIPPER = {
    "id": "5f0c",
    "name": "goal_1",
    "source_path": "cam1/s1/match.mp4",
    "proxy_path": "/proxies/match.mp4",
    "start_frame": 250,
    "end_frame": 749,
    "crop_keyframes": {"250": [100, 50, 640, 480], "500": [300, 80, 640, 480]},
    "crop_keyframes_proxy": {"250": [50, 25, 320, 240]},
    "output_resolution": "1080p",
    "status": "Process",
    "export_path": None,
    "created_at": "2026-01-31T12:00:00",
    "modified_at": "2026-01-31T12:05:00",
}


def entry(**changes: Any) -> sidecar.Entry:
    raw = {key: value for key, value in {**CLIPPER, **changes}.items() if value is not ...}
    return sidecar.parse(json.dumps([raw]).encode()).entries[0]


def clip(**changes: Any) -> Clip:
    return entry(**changes).clip()


class TestReading:
    def test_a_clip_as_clipper_writes_it(self) -> None:
        assert clip() == Clip(
            key="id:5f0c",
            name="goal_1",
            source_path="cam1/s1/match.mp4",
            span=FrameSpan(250, 749),
            crop=CropPath(((250, Rect(100, 50, 640, 480)), (500, Rect(300, 80, 640, 480)))),
            output_resolution=(1920, 1080),
            modified_at="2026-01-31T12:05:00",
        )

    def test_both_shapes(self) -> None:
        array = sidecar.parse(json.dumps([CLIPPER]).encode())
        wrapped = sidecar.parse(json.dumps({"version": [{}], "clips": [CLIPPER], "more": 1}).encode())
        assert [e.clip() for e in array.entries] == [e.clip() for e in wrapped.entries]
        assert wrapped.entries[0].position == (1, 29)

    def test_an_empty_sidecar(self) -> None:
        assert sidecar.parse(b"[]").entries == ()
        assert sidecar.parse(b'\xef\xbb\xbf{"clips": []}').entries == ()

    @pytest.mark.parametrize("data", [b"{}", b"3", b'{"clips": {}}', b"null"])
    def test_another_shape_is_no_sidecar(self, data: bytes) -> None:
        with pytest.raises(NotADocument, match="a sidecar is an array of clips"):
            sidecar.parse(data)

    def test_too_many_entries(self) -> None:
        with pytest.raises(NotADocument, match="at most 20,000"):
            sidecar.parse(b"[" + b"1," * 30_000 + b"1]")

    @pytest.mark.parametrize(
        ("raw", "key", "name"),
        [
            ({"id": "x", "name": "n"}, "id:x", "n"),
            ({"id": 7, "name": "n"}, "id:7", "n"),
            ({"id": "x"}, "id:x", "x"),
            ({"id": None, "name": "n"}, "name:n", "n"),
            ({"id": "", "name": 5}, "name:5", "5"),
            ({"name": " n "}, "name:n", "n"),
        ],
    )
    def test_identity(self, raw, key, name) -> None:
        (read,) = sidecar.parse(json.dumps([raw]).encode()).entries
        assert (read.key, read.name, read.problem) == (key, name, None)

    @pytest.mark.parametrize(
        ("status", "word", "due"),
        [
            ("Process", "Process", True),
            (" proCESS", " proCESS", True),
            ("Archived", "Archived", False),
            (None, None, False),
            (5, None, False),
        ],
    )
    def test_status(self, status, word, due) -> None:
        assert (entry(status=status).status, entry(status=status).due) == (word, due)


class TestWrongEntries:
    def test_they_do_not_disturb_others(self) -> None:
        data = b"""[
  3,
  {"status": "Process"},
  {"id": "a", "name": "one", "start_frame": 0, "end_frame": 1},
  {"id": "b", "name": "two"},
    {"id": "b", "name": "three"},
  {"name": "four"}, {"name": "four"}
]"""
        read = sidecar.parse(data)
        assert [e.problem for e in read.entries] == [
            'line 2, column 3: 3 is no clip; write an object, {"name": ..., "start_frame": ..., "end_frame": ...}',
            'line 3, column 3: this clip has neither a name nor an id; give it one, such as "name": "goal_1"',
            None,
            'line 5, column 3: clip "two": another clip has the id "b" too; give each its own',
            'line 6, column 5: clip "three": another clip has the id "b" too; give each its own',
            'line 7, column 3: clip "four": another clip has this name too and neither has an id; rename one of them',
            'line 7, column 21: clip "four": another clip has this name too and neither has an id; rename one of them',
        ]
        assert read.entries[2].clip().name == "one"
        assert [e.key for e in read.entries] == ["#1", "#2", "id:a", "id:b", "id:b", "name:four", "name:four"]
        with pytest.raises(Rejected, match='another clip has the id "b"'):
            read.entries[3].clip()

    def test_a_number_and_a_text_are_the_same_id(self) -> None:
        assert all(e.problem for e in sidecar.parse(b'[{"id": 1, "name": "a"}, {"id": "1", "name": "b"}]').entries)

    def test_a_name_may_repeat_beside_ids(self) -> None:
        read = sidecar.parse(b'[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}, {"name": "a"}]')
        assert [e.problem for e in read.entries] == [None, None, None]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"start_frame": "abc"}, 'start_frame is "abc": write a whole number of frames'),
            ({"start_frame": -1}, "start_frame is -1: write a whole number of frames from 0"),
            ({"start_frame": 250.5}, "start_frame is 250.5: write a whole number"),
            ({"start_frame": True}, "start_frame is true: write a whole number"),
            ({"start_frame": 10**30}, "write a whole number"),
            ({"start_frame": 1e300}, "write a whole number"),
            ({"end_frame": 100}, "end_frame is 100: the span ends at frame 100, before its start at frame 250"),
            ({"end_frame": None}, "start_frame is 250: start_frame is given without end_frame"),
            ({"start_frame": ..., "start_fram": 250}, '; "start_fram" stands there, did you mean start_frame?'),
            (
                {"start_frame": ..., "end_frame": ..., "strat": 1},
                "it has no span; give start_frame and end_frame, or "
                'start and end; "strat" stands there, did you mean start?',
            ),
            ({"start": 1}, "start is 1: start_frame and start are both given; keep the frames or the times"),
            ({"end": "0:20"}, "start_frame and end are both given"),
            ({"start_frame": None, "end_frame": None}, "it has no span; give start_frame and end_frame"),
            ({"start_frame": ..., "end_frame": ..., "start": "x", "end": 2}, "write seconds (12.5) or HH:MM:SS.mmm"),
            ({"start_frame": ..., "end_frame": ..., "start": 2, "end": 1}, "the span ends at 1.000 s, not after"),
            ({"start_frame": ..., "end_frame": ..., "start": [], "end": 1}, "start is []: write seconds"),
            ({"start_frame": ..., "end_frame": ..., "start": -1, "end": 1}, "start is -1: -1 is negative"),
            ({"start_frame": ..., "end_frame": ..., "end": 1}, "end is given without start"),
            ({"crop_keyframes": [1]}, 'crop_keyframes is [1]: write {"frame": [x, y, width, height]}'),
            ({"crop_keyframes": {"x": [0, 0, 1, 1]}}, '"x" is not a frame number'),
            ({"crop_keyframes": {"-1": [0, 0, 1, 1]}}, '"-1" is not a frame number'),
            ({"crop_keyframes": {"\u0663": [0, 0, 1, 1]}}, "is not a frame number"),
            ({"crop_keyframes": {"1": [0, 0, 1]}}, "the rectangle at frame 1 must be [x, y, width, height]"),
            ({"crop_keyframes": {"1": [0, 0, 1, "1"]}}, "must be [x, y, width, height]"),
            ({"crop_keyframes": {"1": [0, 0, 1, True]}}, "must be [x, y, width, height]"),
            ({"crop_keyframes": {"1": [0, 0, 1, 1e9]}}, "must be [x, y, width, height]"),
            ({"crop_keyframes": {"1": [0, 0, 0.4, 100]}}, "the rectangle at frame 1 is empty"),
            ({"crop_keyframes": {"1": [0.25, 0.1, 0.5, 0.25]}}, "at frame 1 is given in fractions; write [x, y, width"),
            ({"crop_keyframes": {"1": [0, 0, 1, 1], "01": [0, 0, 1, 1]}}, "each frame named once"),
            ({"crop_interpolation": "cubic"}, 'crop_interpolation is "cubic": write linear or smooth'),
            ({"output_resolution": "big"}, "write 1080p, 720p, 1280x720"),
            ({"output_resolution": [0, 5]}, "'0x5' is not a resolution"),
            ({"output_resolution": 1080}, "output_resolution is 1080: write 1080p"),
            ({"upscale": "yes"}, 'upscale is "yes": write true or false'),
            ({"priority": "high"}, "write a whole number, higher is sooner"),
            ({"source_path": 3}, "write a path below the source folder"),
            ({"source_path": "a\0b"}, "write a path below the source folder"),
            ({"name": ["a"]}, 'name is ["a"]: write a text in quotes'),
            ({"status": ["Process"]}, "write one of Draft, Process, Complete, Failed"),
        ],
    )
    def test_a_wrong_value_is_named_with_what_would_be_right(self, changes, words) -> None:
        with pytest.raises(Rejected) as caught:
            clip(**changes)
        assert words in str(caught.value)
        assert str(caught.value).startswith("line 1, column ")
        assert 'clip "' in str(caught.value)

    def test_the_place_is_that_of_the_wrong_value(self) -> None:
        data = b'[\n  {"name": "a",\n   "start_frame": 1, "end_frame": "x"}]'
        with pytest.raises(Rejected, match='line 3, column 35, clip "a": end_frame is "x": '):
            sidecar.parse(data).entries[0].clip()

    def test_a_long_wrong_value_is_cut_short(self) -> None:
        with pytest.raises(Rejected) as caught:
            clip(end_frame="x" * 10_000)
        assert len(str(caught.value)) < 300


class TestGenerousReading:
    def test_whole_floats_are_frames(self) -> None:
        assert clip(start_frame=250.0, end_frame=7.49e2).span == FrameSpan(250, 749)

    def test_times(self) -> None:
        frames = {"start_frame": None, "end_frame": None}
        assert clip(**frames, start=0.1, end="00:01:00.5").span == TimeSpan(Fraction(1, 10), Fraction(121, 2))

    @pytest.mark.parametrize("crop", [None, {}, ...])
    def test_no_crop(self, crop) -> None:
        assert clip(crop_keyframes=crop).crop is None

    def test_fractions_of_pixels_are_rounded_half_to_even_with_a_note(self) -> None:
        read = clip(crop_keyframes={"10": [0.5, 1.5, 640.0, 479.6], "9": [-2, 0, 640, 480]})
        assert read.crop == CropPath(((9, Rect(-2, 0, 640, 480)), (10, Rect(0, 2, 640, 480))))
        assert read.notes == ("crop at frame 10: [0.5, 1.5, 640.0, 479.6] was rounded to [0, 2, 640, 480]",)

    @pytest.mark.parametrize(("word", "meant"), [("Smooth", "smooth"), (None, "linear"), ("linear", "linear")])
    def test_interpolation(self, word, meant) -> None:
        crop = clip(crop_interpolation=word).crop
        assert crop is not None
        assert crop.interpolation == meant

    @pytest.mark.parametrize(
        ("written", "box"), [([1280, 720], (1280, 720)), ("1280x720", (1280, 720)), (None, None), ("original", None)]
    )
    def test_resolution(self, written, box) -> None:
        assert clip(output_resolution=written).output_resolution == box

    @pytest.mark.parametrize("field", ["export_path", "created_at", "modified_at", "error", "proxy_path", "weather"])
    @pytest.mark.parametrize("value", [None, 3, "x", ["a"], {"b": 1}])
    def test_keys_that_are_not_asked_never_refuse_a_clip(self, field, value) -> None:
        assert clip(**{field: value}).span == FrameSpan(250, 749)

    def test_the_rest(self) -> None:
        read = clip(priority=3.0, upscale=True, source_path=" ", id=...)
        assert (read.key, read.priority, read.upscale, read.source_path) == ("name:goal_1", 3, True, None)


class TestDigests:
    def test_wish_is_blind_for_our_own_keys_and_stand_is_not(self) -> None:
        for key in sidecar.OWN_KEYS:
            assert sidecar.answered(entry(**{key: "other"})) != sidecar.answered(entry())
            assert sidecar.stand(entry(**{key: "other"})) != sidecar.stand(entry())

    @pytest.mark.parametrize("change", [{"end_frame": 750}, {"note": 1}, {"name": "x"}, {"upscale": True}])
    def test_both_see_what_a_person_changes(self, change) -> None:
        assert sidecar.answered(entry(**change)) == sidecar.answered(entry())
        assert sidecar.stand(entry(**change)) != sidecar.stand(entry())

    def test_order_and_spelling_do_not_matter(self) -> None:
        (read,) = sidecar.parse(json.dumps([dict(reversed(CLIPPER.items()))], indent=3).encode()).entries
        assert sidecar.stand(read) == sidecar.stand(entry())
        assert sidecar.stand(entry(start_frame=250.0)) == sidecar.stand(entry())
        assert sidecar.stand(entry(upscale=1)) != sidecar.stand(entry(upscale=True))


CHANGES = {"status": "Complete", "export_path": ["h264/a.mp4"], "modified_at": "now", "error": None}


class TestPatching:
    @pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_what_json_dump_wrote_reads_as_if_it_had_written_the_change(self, indent, newline, wrapped, mark) -> None:
        def text(clips: list[dict[str, Any]]) -> bytes:
            content = {"settings": {"a": 1.0}, "clips": clips, "z": []} if wrapped else clips
            return (mark + json.dumps(content, indent=indent) + "\n").replace("\n", newline).encode()

        others = [{**CLIPPER, "id": number} for number in range(3)]
        data = text([others[0], {**others[1], "x": "\u00fc"}, others[2]])
        assert sidecar.patch(data, "id:1", CHANGES) == text(
            [others[0], {**others[1], "x": "\u00fc", **CHANGES}, others[2]]
        )

    def test_an_odd_hand_keeps_its_spelling(self) -> None:
        data = (
            b'[ {"id":1e0 ,"name" : "\\u0061", "odd":1.0,"status":\t"Process" , "n":1E3}  ,\n\n{"id":"b","z":[ ]}]  \n'
        )
        with pytest.raises(Rejected, match='no clip can be found by "id:1"'):
            sidecar.patch(data, "id:1", CHANGES)
        patched = sidecar.patch(data, "name:a", {"status": "Complete"})
        assert patched == data.replace(b'"Process"', b'"Complete"')
        assert sidecar.patch(data, "id:b", {"error": "x"}) == data.replace(b"[ ]", b'[ ],"error":"x"')

    def test_equal_values_change_nothing(self) -> None:
        data = json.dumps([CLIPPER]).encode()
        assert sidecar.patch(data, "id:5f0c", {"status": "Process", "export_path": None}, remove=("error",)) == data

    def test_remove(self) -> None:
        data = b'[{"id": 1, "error": "x", "status": "Failed"}]'
        expected = b'[{"id": 1, "status": "Complete"}]'
        assert sidecar.patch(data, "id:1", {"status": "Complete"}, remove=("error",)) == expected

    @pytest.mark.parametrize("key", ["id:1", "name:a"])
    def test_a_clip_that_is_not_there_or_there_twice_is_refused(self, key) -> None:
        with pytest.raises(Rejected):
            sidecar.patch(b'[{"id": 1}, {"id": "1"}]', key, CHANGES)


NAMES = st.text('ab\u00fc"\\ \n', min_size=1, max_size=3).map(str.strip).filter(bool)
EXTRAS = st.dictionaries(
    st.sampled_from(["x", "status", "\U0001f600", "error"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a\u00fc\n"\\'),
    max_size=4,
)


@given(
    st.lists(st.tuples(NAMES, EXTRAS), min_size=1, max_size=4, unique_by=lambda pair: pair[0]),
    st.dictionaries(st.sampled_from(sidecar.OWN_KEYS), st.none() | st.text(max_size=4) | st.lists(st.text(max_size=3))),
    st.data(),
)
def test_a_patch_gives_the_expected_value_and_leaves_the_other_clips_bytes(clips, changes, data) -> None:
    raws = [{"name": name, **extras} for name, extras in clips]
    indent = data.draw(st.sampled_from([None, 0, 2, "\t"]))
    text = json.dumps(raws, indent=indent, ensure_ascii=data.draw(st.booleans()))
    text = text.replace("\n", data.draw(st.sampled_from(["\n", "\r\n"])))
    changes = {key: value for key, value in changes.items() if _is_real(value)}
    chosen = data.draw(st.integers(0, len(raws) - 1))
    patched = sidecar.patch(text.encode(), f"name:{raws[chosen]['name']}", changes)
    expected = [raw | changes if index == chosen else raw for index, raw in enumerate(raws)]
    assert json.loads(patched) == expected
    assert sidecar.patch(patched, f"name:{raws[chosen]['name']}", changes) == patched
    places = [sidecar.parse(t).entries[0]._text.places("clip") for t in (text.encode(), patched)]
    before, after = ([t[p.start : p.end] for p in ps] for t, ps in zip((text, patched.decode()), places, strict=True))
    assert [t for i, t in enumerate(before) if i != chosen] == [t for i, t in enumerate(after) if i != chosen]


def _is_real(value: Any) -> bool:
    return json.loads(json.dumps(value)) == value and not any(
        "\ud800" <= c <= "\udfff" for c in json.dumps(value, ensure_ascii=False)
    )


class TestSchema:
    def test_both_shapes_and_the_status_words(self) -> None:
        made = sidecar.schema()
        clip_schema = made["$defs"]["ClipEntry"]["properties"]
        assert {"type": "array", "items": {"$ref": "#/$defs/ClipEntry"}} in made["anyOf"]
        assert {"$ref": "#/$defs/SidecarObject"} in made["anyOf"]
        assert clip_schema["status"]["anyOf"][:2] == [
            {"enum": ["Draft", "Process", "Complete", "Failed"]},
            {"type": "string"},
        ]
        assert set(CLIPPER) < set(clip_schema)

    def test_every_key_is_described(self) -> None:
        properties = sidecar.schema()["$defs"]["ClipEntry"]["properties"]
        assert [key for key, value in properties.items() if not value.get("description")] == []
        json.dumps(sidecar.schema())
