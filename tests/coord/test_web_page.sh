#!/bin/bash
# The web page in headless Chromium: what stands in the document after its script has run; that it follows the coordinator, and
# that it says so when the coordinator has gone.
command -v chromium >/dev/null || { echo "skipped: chromium is not installed"; exit 77; }
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/tests/coord/web.bash"
start_web

# browse MS ADDRESS OPTION...: the page's document after MS of the browser's own time, in ./page.html
browse() {
    timeout -k 5 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking \
        --user-data-dir="$dir/profile" --virtual-time-budget="$1" "${@:3}" --dump-dom "$2" >page.html 2>browser.err </dev/null ||
        complain "chromium has failed: $(tail -3 browser.err)"
}
# page CODE: an expression in Python that must hold for the document; `text(id)` is what stands in an element
page() {
    python3 "$ANNULUS_SOURCE/tests/coord/page.py" page.html "$1" || complain "on the page: $1"
}

browse 5000 "$web"
page '"live at 127.0.0.1" in text("link")'
page 'text("run-list").split()[0] == "fashion" and "long" in text("run-list") and "wordy" in text("run-list") and "waiting" in text("run-list")'
page 'text("run-name") == "fashion" and "active" in text("run-state")'
page 'count("graph", "rect", "box") == 5 and count("graph", "path", "tip") == 5'
page 'all(name in text("graph") for name in ("pretrain", "transfer", "adapt/usps", "evaluate", "export"))'
page 'count("graph", "a", "done") == 1 and count("graph", "a", "active chosen") == 1 and count("graph", "a", "pending") == 3'
page 'count("curves", "figure") == 3 and "loss" in text("curves") and "accuracy" in text("curves")'
page 'points("curves") > 300'
page '"test loss" in text("curves") and count("curves", "circle") == 5'
page 'count("ranks", "tr") == 5 and "1.8 s" in text("ranks") and count("ranks", "td", "n late") == 1'
page '"node1, node2 (slurm-17)" in text("jobs")'
page '"set lr factor to 0.5" in text("pending") and "<b>eve</b>" in text("pending")'
page '"<img src=x onerror=" in text("events") and "</script><script>" in text("events")'
page 'count("page", "img") == 1 and count("page", "b") == 4 and count("page", "script") == 1'
page '"owned" not in title() and "fashion" in title()'

# A phase that was chosen by its address; a run that is too long for all of its records; runs without metrics, and that are none.
browse 5000 "$web#/fashion:pretrain"
page '"of pretrain" in text("h-curves") and points("curves") > 600'
browse 8000 "$web#/long"
page 'text("run-name") == "long" and "one record in 3" in text("h-curves")'
page '300 < points("curves") < 6000'
page '"4 ranks on 2 hosts" in text("events") and text("events-of") == ""'
browse 8000 "$web#/wordy"
page 'text("events").count("<<<<") > 200 * 900 and "earlier" in text("page")'
browse 5000 "$web#/waiting"
page '"submitted" in text("run-state") and "No metric" in text("curves")'
browse 5000 "$web#/none"
page '"There is no run none" in text("nothing")'
browse 5000 "$web#/%3Cimg%20src=x%20onerror=alert(1)%3E"
page '"There is no run" in text("nothing") and count("page", "img") == 1'

# While the page is open, an operator asks for something, and then the coordinator goes.
browse 600000 "$web#/fashion" &
browser=$!
sleep 2
ctl 0 pause fashion --plain
sleep 1
stop_server KILL 137
wait "$browser" || complain "chromium has failed: $(tail -3 browser.err)"
page '"cannot be reached" in text("link") and "fashion" in text("run-list") and "pause" in text("pending")'
exit $bad
