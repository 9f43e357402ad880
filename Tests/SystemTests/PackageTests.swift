import Foundation
import Testing

extension SystemTests {
    /// The Debian packages in a clean Debian under a real systemd: an edge and a connector in the same root.
    @Suite(
        .enabled(if: geteuid() == 0, "needs root, to boot a systemd in namespaces of its own"),
        .timeLimit(.minutes(10)))
    struct PackageTests {
        private static let data = "/var/lib/cloudflared-edge"
        private static let next = "2099.1.0"

        @Test func `installed, started, upgraded, removed and purged under systemd`() async throws {
            try await Stage.run { stage in
                let packages = try await Self.build(on: stage)
                let upgrades = try await Self.build(on: stage, "--version", Self.next)
                let root = try await SystemdRoot.boot(on: stage)
                try await root.push(packages + upgrades)
                try await Self.install(packages, in: root)
                try await Self.startEdge(in: root)
                try await Self.installService(in: root)
                try await Self.lookAtService(in: root)
                try await Self.stopEdgeAnswering(in: root)
                try await Self.survive(in: root)
                try await Self.upgrade(upgrades, in: root)
                try await Self.installAgain(in: root)
                try await Self.forwardForUser(in: root)
                try await Self.removeAll(in: root)
            }
        }

        @Test func `lintian has nothing to say but what the overrides list`() async throws {
            try await Stage.run { stage in
                // A debug build looks for Swift's libraries where they were when it was made, which lintian says.
                let version = try await stage.finish([Stage.executable("cloudflared"), "--version"])
                guard version.standardOutput.contains("release") else { return }
                for package in try await Self.build(on: stage) {
                    let output = try await stage.finish(
                        ["lintian", "--allow-root", "--fail-on", "error,warning", package], within: 180)
                    #expect(output.status == 0, "\(output.lastWords)")
                }
            }
        }

        @Test func `manuals and completions cover every command`() async throws {
            try await Stage.run { stage in
                let package = try await Self.build(on: stage)[0]
                let unpacked = stage.scratch.path + "/unpacked"
                #expect(try await stage.finish(["dpkg-deb", "-x", package, unpacked]).status == 0)
                let share = unpacked + "/usr/share"
                for page in [
                    "cloudflared", "cloudflared-tunnel-run", "cloudflared-access-tcp", "cloudflared-access-rdp",
                    "cloudflared-service-install",
                ] {
                    let text = try await stage.finish(["zcat", "\(share)/man/man1/\(page).1.gz"]).standardOutput
                    #expect(text.contains(".SH SYNOPSIS") && text.contains(".SH OPTIONS"), "\(page)")
                }
                let bash = share + "/bash-completion/completions/cloudflared"
                #expect(try await stage.finish(["bash", "-n", bash]).status == 0)
                for file in [
                    bash, share + "/zsh/vendor-completions/_cloudflared",
                    share + "/fish/vendor_completions.d/cloudflared.fish",
                ] {
                    #expect(try String(contentsOfFile: file, encoding: .utf8).contains("token-file"), "\(file)")
                }
            }
        }

        @Test(arguments: ["bash", "zsh", "fish"])
        func `the completions offer in their own shell what can follow`(shell: String) async throws {
            try await Stage.run { stage in
                let package = try await Self.build(on: stage)[0]
                let unpacked = stage.scratch.path + "/unpacked"
                #expect(try await stage.finish(["dpkg-deb", "-x", package, unpacked]).status == 0)
                for (line, offers) in [
                    ("cloudflared tun", ["tunnel"]), ("cloudflared access ", ["tcp", "rdp", "ssh", "smb"]),
                    ("cloudflared tunnel run --ready", ["--ready-policy", "--ready-canary"]),
                    ("cloudflared tunnel run --loglevel ", ["debug", "info", "fatal"]),
                    ("cloudflared access rdp --host", ["--hostname"]),
                ] {
                    let output = try await stage.call("complete", shell, unpacked + "/usr/share", line)
                    let words = Set(output.standardOutput.split(separator: "\n").map(String.init))
                    #expect(words.isSuperset(of: offers), "\(line): \(output.lastWords)")
                }
            }
        }

        /// - Returns: the package of `cloudflared`, then that of the edge.
        private static func build(on stage: Stage, _ options: String...) async throws -> [String] {
            let target = "\(stage.scratch.path)/packages"
            let output = try await stage.finish(
                [Stage.package.appendingPathComponent("packaging/deb").path, "--fast"] + options + [target],
                environment: ["CLOUDFLARED_BIN_DIR": Stage.binaries.path], within: 240)
            let paths = output.lines.map { $0.text.trimmingCharacters(in: .whitespaces) }.filter {
                $0.hasSuffix(".deb")
            }
            guard output.status == 0, paths.count == 2 else {
                throw NotSeen(description: "packaging/deb: \(output.lastWords)")
            }
            return paths
        }

        private static func install(_ packages: [String], in root: SystemdRoot) async throws {
            let names = packages.map { "/srv/" + URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: " ")
            try await root.run("dpkg -i \(names)")
            for unit in ["cloudflared", "cloudflared-edge"] {
                #expect(try await root.property("ActiveState", of: unit) == "inactive")
                #expect(try await root.property("UnitFileState", of: unit) == "disabled")
            }
        }

        private static func startEdge(in root: SystemdRoot) async throws {
            let refused = try await root.attempt("systemctl", "start", "cloudflared-edge")
            #expect(refused.status != 0 && refused.standardError.contains("Assertion failed"), "\(refused.lastWords)")
            try await root.run(
                """
                set -e
                cloudflared-edge init --data-dir \(data) --zone site.test
                systemctl enable --now cloudflared-edge
                cloudflared-edge tunnel create web --data-dir \(data)
                cloudflared-edge route add web.site.test web --data-dir \(data)
                cloudflared-edge access app add web.site.test --open --data-dir \(data)
                """)
        }

        private static func installService(in root: SystemdRoot) async throws {
            try await root.run(
                """
                set -e
                cp \(data)/ca.pem /etc/cloudflared/ca.pem
                printf '%s\\n' 'edge: ["127.0.0.1:7844"]' 'cacert: ca.pem' 'protocol: http2' 'metrics: 127.0.0.1:20241' \
                    'ingress:' '- hostname: web.site.test' '  service: hello_world' '- service: http_status:404' \
                    >/etc/cloudflared/config.yml
                (umask 077; cloudflared-edge tunnel token web --data-dir \(data) >/root/token)
                cloudflared service install --no-start --token-file /root/token
                rm /root/token
                systemctl start cloudflared
                """)
            #expect(try await root.property("UnitFileState", of: "cloudflared") == "enabled")
            #expect(try await root.run("stat -c '%a %U' /etc/cloudflared/token") == "600 root")
            #expect(try await root.attempt("test", "-e", "/etc/systemd/system/cloudflared.service").status == 1)
            try await visit(in: root)
        }

        /// Through the edge, the link and the connector to its test page.
        private static func visit(in root: SystemdRoot) async throws {
            let page = try await root.run(
                "curl -sS --fail --max-time 20 --retry 20 --retry-delay 1 --retry-all-errors --cacert \(data)/ca.pem "
                    + "--resolve web.site.test:8443:127.0.0.1 https://web.site.test:8443/")
            #expect(page.contains("The tunnel works"), "\(page)")
            let ready = try await root.run("curl -sS --fail --max-time 20 http://127.0.0.1:20241/ready")
            #expect(ready.contains(#""status":200"#), "\(ready)")
        }

        /// What the unit promises, as the kernel and the journal see it.
        private static func lookAtService(in root: SystemdRoot) async throws {
            for (unit, capabilities) in [("cloudflared", "0000000000000000"), ("cloudflared-edge", "0000000000000400")]
            {
                let process = try await root.property("MainPID", of: unit)
                let status = try await root.run("cat /proc/\(process)/status")
                let facts = Dictionary(
                    status.split(separator: "\n").map { line in
                        let parts = line.split(separator: ":", maxSplits: 1)
                        return (String(parts[0]), parts.dropFirst().first.map { $0.split(separator: "\t") } ?? [])
                    }, uniquingKeysWith: { first, _ in first })
                #expect(facts["CapEff"]?.first.map(String.init) == capabilities)
                #expect(facts["CapBnd"]?.first.map(String.init) == capabilities)
                #expect(facts["NoNewPrivs"]?.first == "1" && facts["Seccomp"]?.first == "2")
                #expect(facts["Uid"]?.contains("0") == false)
                let arguments = try await root.run("tr '\\0' ' ' </proc/\(process)/cmdline")
                #expect(!arguments.contains("eyJ"), "the token is in no command line: \(arguments)")
                // Nothing that the sandbox forbids is missed by the program.
                let journal = try await root.run("journalctl --unit=\(unit) --no-pager --output=cat")
                #expect(
                    !journal.contains("thread priority") && !journal.contains("Operation not permitted"), "\(journal)")
            }
            let journal = try await root.run("journalctl --unit=cloudflared --no-pager")
            #expect(
                journal.contains("Registered tunnel connection") && journal.contains("Starting tunnel"), "\(journal)")
            let first = try await root.run("journalctl --unit=cloudflared CONNINDEX=0 --no-pager --output=cat")
            #expect(first.contains("Registered tunnel connection") && !first.contains("Starting tunnel"), "\(first)")
            #expect(try await root.property("NRestarts", of: "cloudflared") == "0")
            let status = try await root.property("StatusText", of: "cloudflared")
            #expect(status.contains(" links: "), "\(status)")
        }

        /// A process that hangs is ended by systemd and started again; a reload is none of that.
        private static func stopEdgeAnswering(in root: SystemdRoot) async throws {
            let status = try await root.property("StatusText", of: "cloudflared-edge")
            #expect(status.contains("of 1 tunnel; visitors on "), "\(status)")
            let before = try await root.property("MainPID", of: "cloudflared-edge")
            try await root.run("systemctl reload cloudflared-edge cloudflared")
            try await root.run(
                "timeout 60 sh -c 'until journalctl --unit=cloudflared-edge --output=cat | grep -q \"Certificates reloaded\" && "
                    + "journalctl --unit=cloudflared --output=cat | grep -q \"Configuration reloaded\"; do sleep 0.5; done'"
            )
            #expect(try await root.property("MainPID", of: "cloudflared-edge") == before)
            try await root.run(
                """
                set -e
                mkdir -p /run/systemd/system/cloudflared-edge.service.d
                printf '[Service]\\nWatchdogSec=2\\n' >/run/systemd/system/cloudflared-edge.service.d/soon.conf
                systemctl daemon-reload
                systemctl restart cloudflared-edge
                kill -STOP $(systemctl show --property=MainPID --value cloudflared-edge)
                timeout 60 sh -c 'until [ "$(systemctl show --property=NRestarts --value cloudflared-edge)" = 1 ]; do sleep 0.5; done'
                rm -r /run/systemd/system/cloudflared-edge.service.d
                systemctl daemon-reload
                systemctl restart cloudflared-edge
                """)
            let words = try await root.run("journalctl --unit=cloudflared-edge --no-pager --output=cat")
            #expect(words.contains("Watchdog timeout"), "\(words)")
            try await visit(in: root)
        }

        /// A boot without an edge, for longer than a start may take by itself; a process that hangs; one that crashes.
        private static func survive(in root: SystemdRoot) async throws {
            let value = "systemctl show --value cloudflared --property"
            let pid = "$(\(value)=MainPID)"
            try await root.run(
                """
                set -e
                systemctl stop cloudflared cloudflared-edge
                mkdir -p /run/systemd/system/cloudflared.service.d
                printf '[Service]\\nTimeoutStartSec=2\\nWatchdogSec=4\\nRestartSec=1\\n' \
                    >/run/systemd/system/cloudflared.service.d/soon.conf
                systemctl daemon-reload
                systemctl start --no-block cloudflared
                timeout 60 sh -c 'until [ "$(journalctl --unit=cloudflared --output=cat _PID=\(pid) CONNINDEX=0 | grep -c Retrying)" -ge 6 ]; do sleep 0.5; done'
                [ "$(\(value)=ActiveState)" = activating ]
                \(value)=StatusText | grep -q 'No connection to the edge'
                systemctl start cloudflared-edge
                timeout 60 sh -c 'until [ "$(\(value)=ActiveState)" = active ]; do sleep 0.5; done'
                [ "$(\(value)=NRestarts)" = 0 ]
                """, within: 180)
            try await visit(in: root)
            try await root.run(
                """
                set -e
                kill -STOP \(pid)
                timeout 60 sh -c 'until [ "$(\(value)=NRestarts)" = 1 ]; do sleep 0.5; done'
                journalctl --unit=cloudflared --output=cat | grep -q 'Watchdog timeout'
                for crash in 2 3 4 5 6; do
                    timeout 60 sh -c 'until [ "$(\(value)=ActiveState)" = active ]; do sleep 0.2; done'
                    kill -KILL \(pid)
                    timeout 60 sh -c "until [ \\$(\(value)=NRestarts) = $crash ]; do sleep 0.2; done"
                done
                rm -r /run/systemd/system/cloudflared.service.d
                systemctl daemon-reload
                """, within: 240)
            try await visit(in: root)
        }

        private static func upgrade(_ packages: [String], in root: SystemdRoot) async throws {
            let names = packages.map { "/srv/" + URL(fileURLWithPath: $0).lastPathComponent }
            let before = try await root.property("MainPID", of: "cloudflared")
            try await root.run("dpkg -i \(names.joined(separator: " "))")
            let after = try await root.property("MainPID", of: "cloudflared")
            #expect(before != after && after != "0")
            #expect(try await root.property("ActiveState", of: "cloudflared-edge") == "active")
            #expect(try await root.run("dpkg-query -W -f '${Version}' cloudflared") == next)
            try await visit(in: root)
            // What a person has stopped stays stopped.
            try await root.run("systemctl stop cloudflared && dpkg -i \(names[0])")
            #expect(try await root.property("ActiveState", of: "cloudflared") == "inactive")
            #expect(try await root.property("UnitFileState", of: "cloudflared") == "enabled")
            try await root.run("systemctl start cloudflared")
            try await visit(in: root)
        }

        /// The same service out and in again, and a second one beside it, by the command alone.
        private static func installAgain(in root: SystemdRoot) async throws {
            try await root.run(
                """
                set -e
                cp /etc/cloudflared/token /root/token
                cloudflared service uninstall
                ! systemctl is-active cloudflared
                ! test -e /etc/cloudflared/token
                cloudflared service install --token-file /root/token
                systemctl is-active cloudflared
                cloudflared service install --token-file /root/token
                """)
            try await visit(in: root)
            try await root.run(
                """
                set -e
                mkdir /etc/cloudflared/second
                printf '%s\\n' 'edge: ["127.0.0.1:7844"]' 'cacert: /etc/cloudflared/ca.pem' 'protocol: http2' \
                    'metrics: 127.0.0.1:20242' 'ingress:' '- service: hello_world' >/etc/cloudflared/second/config.yml
                cloudflared service install --name second --token-file /root/token
                curl -sS --fail --max-time 20 http://127.0.0.1:20242/ready
                cloudflared service uninstall --name second --purge
                ! test -e /etc/cloudflared/second
                ! systemctl is-active cloudflared@second
                systemctl is-active cloudflared
                rm /root/token
                """)
        }

        /// The units of a user session, under a service manager of a user's own: by the socket, then by the service alone.
        private static func forwardForUser(in root: SystemdRoot) async throws {
            try await root.run(
                """
                set -e
                cloudflared-edge route add tcp.site.test web --data-dir \(data)
                cloudflared-edge access app add tcp.site.test --open --data-dir \(data)
                sed -i '/^ingress:/a - hostname: tcp.site.test\\n  service: tcp://127.0.0.1:20241' /etc/cloudflared/config.yml
                systemctl reload cloudflared
                echo 127.0.0.1 tcp.site.test >>/etc/hosts
                useradd --create-home --uid 1000 me
                loginctl enable-linger me
                systemctl start user@1000
                cd ~me
                install -d -o me -g me .config .config/cloudflared
                printf '%s\\n' TUNNEL_SERVICE_HOSTNAME=tcp.site.test:8443 TUNNEL_CACERT=/etc/cloudflared/ca.pem \
                    >.config/cloudflared/2244.env
                (cat .config/cloudflared/2244.env; echo TUNNEL_SERVICE_URL=localhost:2245) >.config/cloudflared/rdp.env
                chown me:me .config/cloudflared/*
                """)
            let user = "runuser -u me -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user"
            let ask = "curl -sS --fail --max-time 20 --retry 20 --retry-delay 1 --retry-all-errors"
            try await root.run("\(user) enable --now cloudflared-access@2244.socket")
            #expect(try await root.attempt("bash", "-c", "\(user) is-active cloudflared-access@2244").status != 0)
            let first = try await root.run("\(ask) http://127.0.0.1:2244/ready")
            #expect(first.contains(#""status":200"#), "\(first)")
            try await root.run("\(user) is-active cloudflared-access@2244")
            // While the service is away connections wait for it.
            try await root.run("\(user) restart cloudflared-access@2244 && \(ask) http://127.0.0.1:2244/ready")
            try await root.run("\(user) enable --now cloudflared-access@rdp && \(ask) http://127.0.0.1:2245/ready")
            let log = try await root.run("journalctl --no-pager _UID=1000")
            #expect(log.contains("host=127.0.0.1:2244") && log.contains("host=127.0.0.1:2245"), "\(log)")
            try await root.run(
                "\(user) disable --now cloudflared-access@2244.socket cloudflared-access@2244 cloudflared-access@rdp")
            try await root.run("loginctl disable-linger me && systemctl stop user@1000 && userdel --remove me")
        }

        private static func removeAll(in root: SystemdRoot) async throws {
            try await root.run("dpkg -r cloudflared cloudflared-edge")
            #expect(!(try await root.run("ls -l /proc/[0-9]*/exe 2>/dev/null || true").contains("cloudflared")))
            #expect(try await root.attempt("test", "-s", "/etc/cloudflared/token").status == 0, "a live token is kept")
            try await root.run("dpkg -P cloudflared cloudflared-edge")
            let left = try await root.run(
                "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /srv -o -path /var/log/journal \\) "
                    + "-prune -o -name '*cloudflared*' -print")
            // The edge's keys and what a person put there stay; the rest is gone.
            let expected = ["/etc/cloudflared", data, "/var/lib/private/cloudflared-edge"]
            #expect(Set(left.split(separator: "\n").map(String.init)).subtracting(expected) == [], "\(left)")
            let files = try await root.run("ls /etc/cloudflared")
            #expect(files.split(separator: "\n") == ["ca.pem", "config.yml"])
            #expect(try await root.property("LoadState", of: "cloudflared") == "not-found")
        }
    }
}
