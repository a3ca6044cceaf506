# For the tests of the web page, which source it after coord.bash.
# start_web: a coordinator on a registry that make_web has filled; the page's address in $web
start_web() {
    local tries
    mkdir state
    run 0 "$ANNULUS_BUILD/tests/make_web" state 9000
    start_server --plain --lost-after 3600 --http 0
    for ((tries = 0; tries < 200; tries++)); do
        web=$(sed -n 's/^web page at //p' server.out)
        [ -z "$web" ] || return 0
        sleep 0.05
    done
    echo "no web page: $(cat server.out server.err)"
    exit 1
}
