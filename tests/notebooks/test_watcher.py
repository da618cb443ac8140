"""`CellWatcher`: what a live notebook's names hide, said when a cell reads them."""

from penstock.notebooks._watcher import CellWatcher


def warnings_of(*cells, file=None):
    """Run cells given as texts, or as (id, text); return the warnings of the last one.

    The file is None if unknown, else its cells as (id, text).
    """

    def texts(cell_id):
        return None if file is None else [text for each, text in file if each == cell_id]

    watcher, found = CellWatcher(texts), []
    for cell in cells:
        cell_id, source = cell if isinstance(cell, tuple) else ("", cell)
        found = watcher.begin(source, cell_id)
        watcher.end(0.1, ok=True)
    return found


def test_cells_in_order_are_silent():
    assert warnings_of("x = 1", "y = x", "x = 2", "y = x", "print(x, y)") == []


def test_a_value_of_a_changed_input_is_out_of_date_through_others_too():
    assert (
        "[2] computed it from 'x', which cell [3]" in warnings_of("x = 1", "y = x", "x = 2", "y")[0]
    )
    deep = warnings_of("x = [1]", "y = sum(x)", "z = y + 1", "x.append(2)", "z")
    assert len(deep) == 1
    assert deep[0].startswith(
        "'z' was computed from 'y', and 'y' is out of date: cell [2] computed"
    )
    assert deep[0].endswith("which cell [4] has changed since. Run it again.")


def test_a_name_of_a_text_that_no_cell_has_any_more_is_said():
    cells = ("a", "rate = 1"), ("a", "ratio = 1"), ("b", "print(rate)")
    said = "'rate' is of an older text of its cell, run as [1]: no cell defines it now."
    for saved in (cells[1:], cells[::2]):  # the edit is in the file, or not yet
        assert warnings_of(*cells, file=saved) == [said]
    # without a file, a second cell with the id is as likely
    [perhaps] = warnings_of(*cells)
    assert perhaps.startswith(
        "'rate' is of an older text of its cell, run as [1], or of a cell with"
    )


def test_cells_that_share_an_id_are_not_taken_for_edits():
    """Copied cells and files edited by hand may have one id twice; nbformat forbids it since 4.5 only."""
    cells = ("a", "rate = 1"), ("a", "ratio = 1"), ("b", "print(rate)")
    assert warnings_of(*cells, file=cells) == []
    gone = (("a", "x = 1"), *cells[1:])  # shared, and the text that defined the name is in no cell
    assert "no cell defines it now" in warnings_of(*cells, file=gone)[0]
    changes = ("n", "n = 1"), ("a", "n += 1"), ("a", "n *= 2")
    assert warnings_of(*changes, file=changes) == []
    assert warnings_of(*changes) == []
    assert "a second time" in warnings_of(*changes, file=changes[:2])[0]


def test_the_same_text_in_two_cells_is_no_repetition():
    assert warnings_of("n = 1", ("a", "n += 1"), ("b", "n += 1")) == []
    assert "a second time" in warnings_of("n = 1", "n += 1", "n += 1")[0]


def test_a_cell_that_changes_its_input_twice_is_said():
    assert "a second time" in warnings_of("n = 1", ("a", "n += 1"), ("a", "n += 1"))[0]
    assert warnings_of("n = 1", ("a", "m = n + 1"), ("a", "m = n + 1")) == []


def test_a_function_reads_its_globals_when_it_is_called():
    define = "def add(x):\n    return x + base"
    assert warnings_of("base = 1", define, "base = 2", "add(1)") == []
    found = warnings_of("base = 1", define, "r = add(1)", "base = 2", "r")
    assert found == [
        (
            "'r' is out of date: cell [3] computed it from 'base', which cell [4] has changed since."
            " Run it again."
        )
    ]
    # through functions that functions call, and in the cell of the definition
    assert warnings_of(
        "base = 1", define, "def two():\n    return add(2)", "r = two()", "base = 2", "r"
    )
    assert warnings_of("base = 1", f"{define}\nr = add(1)", "base = 2", "r")
    # an object is made by the constructor, its methods read later
    made = "class A:\n    def __init__(self):\n        self.x = {}\n    def get(self):\n        return {}"
    assert warnings_of("g = 1", made.format("g", 0), "a = A()", "g = 2", "a")
    assert warnings_of("g = 1", made.format(0, "g"), "a = A()", "g = 2", "a.get()") == []


def test_a_failed_cell_has_changed_only_what_it_bound():
    watcher = CellWatcher()
    for source in ("k = 1", "w = k + 1"):
        watcher.begin(source)
        watcher.end(0.1, ok=True)
    watcher.begin("1/0; k = 5")
    watcher.end(0.1, ok=False, unbound=["k"])
    assert watcher.begin("w") == []
    watcher.end(0.1, ok=True)
    watcher.begin("k = 5; 1/0")
    watcher.end(0.1, ok=False)
    assert "'w' is out of date" in watcher.begin("w")[0]
