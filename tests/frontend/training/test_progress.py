"""The progress bar's text, and what fit, evaluate and predict print."""

import re

import pytest

import kcompile as keras
from kcompile import progress

from .models import classes, classifier, inputs


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def plain(text):
    """What a person sees: no colours, no erased text."""
    return re.sub(r"\x1b\[\d+m", "", text)


def test_a_bar(clock, capsys):
    bar = keras.utils.Progbar(10)
    for current in (1, 5, 10):
        clock.now += 1
        bar.update(current, [("loss", current / 3), ("small", current * 1e-5)])
    assert plain(capsys.readouterr().out).replace("\b", "") == (
        "\r 1/10 ━━━━━━━━━━━━━━━━━━━━ 9s 1s/step - loss: 0.3333 - small: 1.0000e-05"
        "\r 5/10 ━━━━━━━━━━━━━━━━━━━━ 1s 250ms/step - loss: 1.4000 - small: 4.2000e-05"
        "\r10/10 ━━━━━━━━━━━━━━━━━━━━ 3s 222ms/step - loss: 3.3333 - small: 1.0000e-04\n")


def test_colours(clock, capsys):
    keras.utils.Progbar(4).update(1)
    assert capsys.readouterr().out == "\r\x1b[1m1/4\x1b[0m \x1b[32m━━━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━\x1b[0m \x1b[1m0s\x1b[0m 0s/step"


@pytest.mark.parametrize(("seconds", "shown"), [(100.0, "15:00 100s/step"), (0.004, "0s 4ms/step"), (0.00025, "0s 250us/step"),
                                                (4000, "10:00:00 4000s/step")])
def test_times(clock, capsys, seconds, shown):
    bar = keras.utils.Progbar(10)
    clock.now += seconds
    bar.update(1)
    assert plain(capsys.readouterr().out).endswith(shown)


def test_unknown_length(clock, capsys):
    bar = keras.utils.Progbar(None)
    for current in (1, 2):
        clock.now += 0.3
        bar.update(current, [("loss", 1.0)], finalize=current == 2)
    assert plain(capsys.readouterr().out).replace("\b", "") == (
        "\r      1/Unknown 0s 300ms/step - loss: 1.0000\r      2/Unknown 1s 300ms/step - loss: 1.0000\n")


def test_one_line(clock, capsys):
    bar = keras.utils.Progbar(3, verbose=2)
    for current in (1, 2, 3):
        clock.now += 0.5
        bar.update(current, [("loss", 2.0 * current)])
    assert capsys.readouterr().out == "3/3 - 2s - 500ms/step - loss: 6.0000\n"


def test_short_lines_cover_long_ones(clock, capsys):
    bar = keras.utils.Progbar(3)
    for current, value in ((1, 100.0), (2, 1.0)):
        clock.now += 1
        bar.update(current, [("loss", value)])
    first, second = plain(capsys.readouterr().out).split("\r")[1:]
    assert len(second.replace("\b", "")) == len(first.replace("\b", ""))


def test_redrawing_waits_for_the_interval(clock, capsys):
    bar = keras.utils.Progbar(1000)
    for current in range(1, 1001):
        clock.now += 0.001
        bar.update(current)
    assert capsys.readouterr().out.count("\r") in (20, 21, 22)


def test_what_fit_prints(capsys):
    model = classifier(metrics=["accuracy"])
    model.fit(inputs(), classes(), batch_size=4, epochs=2, verbose=2, validation_split=0.2)
    number = r"\d+\.\d{4}"
    line = rf"4/4 - \d+s - \d+(us|ms|s)/step - accuracy: {number} - loss: {number} - val_accuracy: {number}.* - val_loss: {number}\n"
    assert re.fullmatch(rf"Epoch 1/2\n{line}Epoch 2/2\n{line}", capsys.readouterr().out)
    model.fit(inputs(), classes(), batch_size=4, verbose=1)
    shown = plain(capsys.readouterr().out)
    assert "Epoch" not in shown and re.search(rf"\r5/5 ━{{20}} \d+s \d+(us|ms|s)/step - accuracy: {number} - loss: {number} *\n$", shown)
    model.evaluate(inputs(), classes(), verbose=2)
    assert re.fullmatch(rf"1/1 - \d+s - \d+(us|ms|s)/step - accuracy: {number} - loss: {number}\n", capsys.readouterr().out)
    model.predict(inputs(), verbose=2)
    assert re.fullmatch(r"1/1 - \d+s - \d+(us|ms|s)/step\n", capsys.readouterr().out)
    model.fit(inputs(), classes(), verbose=0)
    assert capsys.readouterr().out == ""


def test_the_bar_shows_what_history_holds(capsys):
    model = classifier(metrics=["accuracy"])
    history = model.fit(inputs(), classes(), batch_size=4).history
    assert f"accuracy: {history['accuracy'][0]:.4f} - loss: {history['loss'][0]:.4f}" in plain(capsys.readouterr().out)


def test_without_interactive_logging(capsys, caplog):
    keras.utils.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="kcompile"):
            classifier().fit(inputs(), classes(), verbose=2)
    finally:
        keras.utils.enable_interactive_logging()
    assert capsys.readouterr().out == "" and "1/1 - " in caplog.text
