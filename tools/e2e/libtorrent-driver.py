# Drives one libtorrent session: a line of JSON in, a line of JSON out, in order. The first line has
# the settings; when the input ends, the session ends in an orderly way (`stopped` is announced).
#
#   {"do": "start", "address": "10.77.0.2", "address6": "fd77::2", "port": 16881}
#   {"do": "add", "file": "/x.torrent", "folder": "/content"}
#   {"do": "announce" | "status" | "pause" | "resume" | "remove", "hash": "40 hex digits"}
#   {"do": "connect", "hash": …, "address": …, "port": …}
#
# An answer is {"ok": true, …} or {"ok": false, "error": "…"}.

import json
import sys
import time

import libtorrent as lt

session = None
handles = {}
messages = {}


def start(request):
    global session
    addresses = [request["address"]]
    listen = ["%s:%d" % (request["address"], request["port"])]
    if request.get("address6"):
        addresses.append(request["address6"])
        listen.append("[%s]:%d" % (request["address6"], request["port"]))
    session = lt.session({
        "listen_interfaces": ",".join(listen),
        "outgoing_interfaces": ",".join(addresses),
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        "min_reconnect_time": 1,
        # Forced, and no other cipher than RC4; or none.
        "in_enc_policy": 0 if request.get("isEncrypted") else 2,
        "out_enc_policy": 0 if request.get("isEncrypted") else 2,
        "allowed_enc_level": 2,
        "announce_to_all_trackers": bool(request.get("allTrackers", False)),
        "announce_to_all_tiers": bool(request.get("allTrackers", False)),
        "prefer_udp_trackers": False,
        "ssrf_mitigation": False,
        "stop_tracker_timeout": 5,
        "tracker_completion_timeout": 10,
        "alert_mask": lt.alert.category_t.error_notification
        | lt.alert.category_t.tracker_notification
        | lt.alert.category_t.status_notification,
    })
    return {}


def add(request):
    info = lt.torrent_info(request["file"])
    params = lt.add_torrent_params()
    params.ti = info
    params.save_path = request["folder"]
    # An ordinary torrent that is told the truth at once: not paused, not queued.
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    hashes = info.info_hashes()
    name = str(hashes.v1) if hashes.has_v1() else str(hashes.v2)[:40]
    handles[name] = handle
    messages[name] = ""
    return {"hash": name}


def hear():
    for alert in session.pop_alerts():
        handle = getattr(alert, "handle", None)
        name = next((key for key, known in handles.items() if known == handle), None)
        if name is None:
            continue
        if isinstance(alert, lt.tracker_error_alert):
            # Not sent at all: an IPv6 socket has no way to an IPv4 tracker. The other one speaks.
            if "skipping tracker announce" in alert.message():
                continue
            text = getattr(alert, "error_message", lambda: "")()
            messages[name] = text if isinstance(text, str) and text else alert.message()
        elif isinstance(alert, lt.tracker_warning_alert):
            messages[name] = alert.message()
        elif isinstance(alert, lt.tracker_reply_alert):
            messages[name] = ""


def announce(request):
    flags = lt.reannounce_flags_t.ignore_min_interval
    handles[request["hash"]].force_reannounce(0, -1, flags)
    return {}


def status(request):
    hear()
    status = handles[request["hash"]].status()
    return {
        "progress": status.progress,
        "state": str(status.state),
        "uploaded": status.total_payload_upload,
        # As torrent.cpp announces it: what failed a hash check was not received.
        "downloaded": status.total_payload_download - status.total_failed_bytes,
        "message": messages[request["hash"]],
        "peers": status.num_peers,
    }


def connect(request):
    handles[request["hash"]].connect_peer((request["address"], request["port"]))
    return {}


def remove(request):
    session.remove_torrent(handles.pop(request["hash"]))
    return {}


def pause(request):
    handles[request["hash"]].pause()
    return {}


def resume(request):
    handles[request["hash"]].resume()
    return {}


def end():
    """Gives `stopped` time to be sent: the session's destructor waits for its trackers."""
    global session
    for handle in handles.values():
        handle.pause()
    time.sleep(0.5)
    session = None


COMMANDS = {
    "start": start,
    "add": add,
    "announce": announce,
    "status": status,
    "connect": connect,
    "pause": pause,
    "resume": resume,
    "remove": remove,
}

for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = {"ok": True, **COMMANDS[request["do"]](request)}
    except Exception as error:  # Reported to the test, which decides.
        answer = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)
end()
