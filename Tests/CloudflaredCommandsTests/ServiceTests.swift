import Foundation
import Glibc
import ServiceHost
import Testing
import TunnelConfig

@testable import CloudflaredCommands

/// A system below a directory of its own, with real files; `systemctl` is the real one where it can work on a system
/// that does not run, and elsewhere a program that says what it was asked.
struct ServiceTests {
    let home: Home
    let layout: ServiceLayout
    var root: String { layout.root }

    init() throws {
        home = try Home()
        layout = ServiceLayout(root: home.path + "/system", name: nil)
        try home.write("#!/bin/sh\n", to: "system/usr/local/bin/cloudflared")
        chmod(home.path + "/system/usr/local/bin/cloudflared", 0o755)
    }

    static let other = TunnelCredentials(
        accountTag: "account", tunnelSecret: TunnelSecret(Array(repeating: 8, count: 32)),
        tunnelID: UUID(uuidString: "b3b1c5d2-0f1e-4a2b-8c3d-112233445566") ?? UUID())

    /// A `systemctl` that notes its words and fails at those in `failing`.
    private func control(failing: [String] = []) throws -> SystemControl {
        let words = failing.isEmpty ? "never" : failing.joined(separator: "|")
        let script = try home.write(
            "#!/bin/sh\nshift 2\necho \"$@\" >>'\(home.path)/calls'\ncase \"$1\" in is-*) exit 1;; \(words)) "
                + "echo 'no such luck' >&2; exit 1;; esac\n", to: "systemctl")
        chmod(script, 0o755)
        return SystemControl(program: script)
    }

    private func installer(
        _ control: SystemControl, _ lines: Lines = Lines(), name: String? = nil
    ) -> ServiceInstaller {
        var installer = ServiceInstaller(
            layout: ServiceLayout(root: root, name: name), control: control, program: "/usr/local/bin/cloudflared",
            print: { lines.append($0) })
        installer.isLive = true
        return installer
    }

    private var calls: [String] {
        ((try? home.read("calls")) ?? "").split(separator: "\n").map(String.init)
    }

    /// Every file below the root with its content and mode.
    private func files() throws -> [String: String] {
        var result: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
            let full = "\(root)/\(path)"
            var information = stat()
            lstat(full, &information)
            guard information.st_mode & S_IFMT == S_IFREG else { continue }
            result[path] = String(information.st_mode & 0o777, radix: 8) + " " + (try home.read("system/\(path)"))
        }
        return result
    }

    private func source(_ credentials: TunnelCredentials = Sample.credentials) -> ServiceSource {
        ServiceSource(credentials: credentials)
    }

    // MARK: Installing

    @Test func `a token is installed for root alone and is in no unit`() async throws {
        let lines = Lines()
        try await installer(try control(), lines).install(source())
        let files = try files()
        #expect(files["etc/cloudflared/token"] == "600 \(Sample.token)\n")
        let unit = try #require(files["etc/systemd/system/cloudflared.service"])
        #expect(unit.hasPrefix("644 \(ServiceUnit.mark)\n") && !unit.contains(Sample.token))
        #expect(unit.contains("\nExecStart=/usr/local/bin/cloudflared --no-autoupdate tunnel run --token-file "))
        #expect(files.count == 3)
        #expect(
            calls == [
                "is-active --quiet cloudflared.service", "is-enabled --quiet cloudflared.service", "daemon-reload",
                "enable cloudflared.service", "start cloudflared.service",
            ])
        #expect(!lines.text.contains(Sample.token))
    }

    @Test func `installing the same again changes nothing`() async throws {
        try await installer(try control()).install(source())
        let before = try files()
        let lines = Lines()
        try await installer(try control(), lines).install(source())
        #expect(try files() == before)
        #expect(lines.text.hasPrefix("cloudflared.service was installed already."))
    }

    @Test func `the token of another tunnel is refused, and the live one stays`() async throws {
        try await installer(try control()).install(source())
        let before = try files()
        let control = try control()
        await #expect {
            try await installer(control).install(source(Self.other))
        } throws: {
            "\($0)".contains("is installed already with the token of the tunnel \(Sample.tunnelID)")
        }
        #expect(try files() == before)
    }

    @Test(arguments: ["daemon-reload", "enable"])
    func `what systemd refuses is taken back whole`(word: String) async throws {
        try home.write("edge: [\"edge.test:7844\"]\n", to: "system/etc/cloudflared/config.yml")
        let before = try files()
        let control = try control(failing: [word])
        await #expect {
            try await installer(control).install(source())
        } throws: {
            "\($0)".contains("is not installed, and everything is as before: systemctl \(word)")
                && "\($0)".contains("no such luck") && ($0 as? CommandError)?.exitCode == .failure
        }
        #expect(try files() == before)
        #expect(!FileManager.default.fileExists(atPath: "\(root)/etc/systemd"))
    }

    @Test func `a service that does not start stays installed with its token`() async throws {
        let control = try control(failing: ["start"])
        await #expect {
            try await installer(control).install(source())
        } throws: {
            ($0 as? CommandError)?.exitCode == .unavailable && "\($0)".contains("journalctl -u cloudflared.service")
        }
        #expect(try files()["etc/cloudflared/token"] == "600 \(Sample.token)\n")
    }

    @Test func `a token that others could read is written anew for root alone`() async throws {
        try home.write(Sample.token, to: "system/etc/cloudflared/token")
        try await installer(try control()).install(source())
        #expect(try files()["etc/cloudflared/token"] == "600 \(Sample.token)\n")
    }

    @Test func `the unit of the package is used where there is one`() async throws {
        try home.write("[Service]\n", to: "system/lib/systemd/system/cloudflared.service")
        try await installer(try control()).install(source())
        #expect(try files()["etc/systemd/system/cloudflared.service"] == nil)
        #expect(calls.contains("enable cloudflared.service"))
    }

    @Test func `named services live beside each other and leave one by one`() async throws {
        let control = try control()
        try await installer(control, name: "a").install(source())
        try await installer(control, name: "b").install(source(Self.other))
        #expect(calls.contains("start cloudflared@a.service") && calls.contains("start cloudflared@b.service"))
        let files = try files()
        #expect(files["etc/cloudflared/a/token"] == "600 \(Sample.token)\n")
        #expect(files["etc/cloudflared/b/token"] == "600 \(TunnelToken.encode(Self.other))\n")
        let configuration = try #require(files["etc/cloudflared/a/config.yml"]).dropFirst(4)
        #expect(try ConfigFile.parse(String(configuration), path: "config.yml").warnings.isEmpty)
        var uninstaller = ServiceUninstaller(
            layout: ServiceLayout(root: root, name: "a"), control: control, print: { _ in })
        uninstaller.isLive = true
        try await uninstaller.uninstall(purge: true)
        #expect(try self.files()["etc/systemd/system/cloudflared@.service"] != nil)
        #expect(!FileManager.default.fileExists(atPath: "\(root)/etc/cloudflared/a"))
        uninstaller.layout.name = "b"
        try await uninstaller.uninstall(purge: true)
        #expect(try self.files().keys.sorted() == ["usr/local/bin/cloudflared"])
    }

    // MARK: The official client's service

    static let official =
        "[Service]\nType=notify\nExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token-file "
        + "/etc/cloudflared/token\nRestart=on-failure\n"

    @Test func `an official unit for the same tunnel is taken over and kept beside`() async throws {
        try home.write(Self.official, to: "system/etc/systemd/system/cloudflared.service")
        try home.write("[Timer]\n", to: "system/etc/systemd/system/cloudflared-update.timer")
        try home.write(Sample.token, to: "system/etc/cloudflared/token")
        let lines = Lines()
        try await installer(try control(), lines).install(source())
        let files = try files()
        #expect(files["etc/systemd/system/cloudflared.service.before"] == "644 \(Self.official)")
        #expect(files["etc/systemd/system/cloudflared-update.timer"] == nil)
        #expect(lines.text.contains("cloudflared.service as \(root)/etc/systemd/system/cloudflared.service.before"))
        #expect(files["etc/systemd/system/cloudflared.service"]?.contains("DynamicUser=yes") ?? false)
    }

    @Test func `an official unit for another tunnel, or of somebody else, is left alone`() async throws {
        let token = TunnelToken.encode(Self.other)
        for unit in [
            "[Service]\nExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token \(token)\n",
            "[Service]\nExecStart=/usr/bin/sleep 1\n",
        ] {
            try home.write(unit, to: "system/etc/systemd/system/cloudflared.service")
            let before = try files()
            let control = try control()
            await #expect(throws: CommandError.self) { try await installer(control).install(source()) }
            #expect(try files() == before)
        }
    }

    // MARK: Removing

    @Test func `uninstalling removes token and unit, and the configuration only when asked`() async throws {
        let control = try control()
        try await installer(control).install(source())
        try home.write("edge: [\"edge.test:7844\"]\n", to: "system/etc/cloudflared/config.yml")
        var uninstaller = ServiceUninstaller(layout: layout, control: control, print: { _ in })
        uninstaller.isLive = true
        try await uninstaller.uninstall(purge: false)
        #expect(calls.contains("disable --now cloudflared.service"))
        #expect(try files().keys.sorted() == ["etc/cloudflared/config.yml", "usr/local/bin/cloudflared"])
        try await installer(control).install(source())
        try await uninstaller.uninstall(purge: true)
        #expect(!FileManager.default.fileExists(atPath: "\(root)/etc/cloudflared"))
        await #expect(throws: CommandError.self) { try await uninstaller.uninstall(purge: true) }
    }

    @Test func `nothing is removed of a service that cannot be stopped`() async throws {
        try await installer(try control()).install(source())
        let before = try files()
        var uninstaller = ServiceUninstaller(
            layout: layout, control: try control(failing: ["disable"]), print: { _ in })
        uninstaller.isLive = true
        await #expect(throws: CommandError.self) { try await uninstaller.uninstall(purge: true) }
        #expect(try files() == before)
    }

    @Test func `a removal that fails half-way leaves the service running and enabled`() async throws {
        try await installer(try control()).install(source())
        let before = try files()
        let script = try home.write(
            "#!/bin/sh\nshift 2\necho \"$@\" >>'\(home.path)/calls'\n"
                + "if [ \"$1\" = daemon-reload ] && ! [ -e '\(home.path)/once' ]; then :>'\(home.path)/once'; exit 1; fi\n",
            to: "systemctl")
        var uninstaller = ServiceUninstaller(
            layout: layout, control: SystemControl(program: script), print: { _ in })
        uninstaller.isLive = true
        try home.write("", to: "calls")
        await #expect {
            try await uninstaller.uninstall(purge: true)
        } throws: {
            "\($0)".contains("is not removed, and everything is as before: systemctl daemon-reload failed")
        }
        #expect(try files() == before)
        #expect(
            calls.suffix(4) == [
                "daemon-reload", "daemon-reload", "enable cloudflared.service", "start cloudflared.service",
            ])
    }

    @Test func `a systemctl that hangs is not waited for for ever`() async throws {
        let script = try home.write("#!/bin/sh\nexec sleep 600\n", to: "systemctl")
        chmod(script, 0o755)
        var control = SystemControl(program: script)
        control.deadline = .milliseconds(50)
        let answer = try await control.run(["start", "cloudflared.service"])
        #expect(answer.status == nil)
    }

    // MARK: The command

    @Test func `a system that does not run is prepared by the real systemctl`() async throws {
        try home.write(
            ServiceUnit.text(program: "/usr/bin/cloudflared", isTemplate: false),
            to: "system/lib/systemd/system/cloudflared.service")
        let run = try await home.run("service install \(Sample.token) --root \(root)")
        #expect(run.code == 0, "\(run.errors)")
        let link = "\(root)/etc/systemd/system/multi-user.target.wants/cloudflared.service"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link).hasSuffix("/cloudflared.service"))
        #expect(run.output.contains("systemctl start cloudflared.service"))
        #expect(try await home.run("service uninstall --purge --root \(root)").code == 0)
        #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == nil)
        #expect(!FileManager.default.fileExists(atPath: "\(root)/etc/cloudflared"))
    }

    @Test func `a configuration file is found in the home directory, and what it lacks is said`() async throws {
        try home.write("[Service]\n", to: "system/lib/systemd/system/cloudflared.service")
        let line = "service install --root \(root)"
        let none = try await home.run(line)
        #expect(none.code == 78 && none.errors.contains(".cloudflared, "), "\(none.errors)")
        try home.write("url: http://localhost\n", to: ".cloudflared/config.yml")
        #expect(try await home.run(line).errors.contains("names no tunnel"))
        try home.write("tunnel: \(Sample.tunnelID)\n", to: ".cloudflared/config.yml")
        #expect(try await home.run(line).errors.contains("and no credentials"))
        try home.write(Sample.credentials.json, to: ".cloudflared/\(Sample.tunnelID).json")
        let hidden = "tunnel: \(Sample.tunnelID)\ncacert: ca.pem\n"
        try home.write(hidden, to: ".cloudflared/config.yml")
        #expect(try await home.run(line).errors.contains("would not find"))
        let right = "tunnel: \(Sample.tunnelID)\ncacert: /etc/cloudflared/ca.pem\n"
        try home.write(right, to: ".cloudflared/config.yml")
        let run = try await home.run(line)
        #expect(run.code == 0 && run.output.contains("Copied "), "\(run.errors)")
        #expect(try home.read("system/etc/cloudflared/token") == Sample.token + "\n")
        #expect(try home.read("system/etc/cloudflared/config.yml").hasSuffix(right))
        #expect(try await home.run(line).output.contains("installed already"))
        try home.write(right + "protocol: http2\n", to: ".cloudflared/config.yml")
        let conflict = try await home.run(line)
        #expect(conflict.code == 1 && conflict.errors.contains("differs from"), "\(conflict.errors)")
    }

    @Test(arguments: ["a/b", "token", "-x", "a.b", ""])
    func `a name that cannot be a directory of its own is refused`(name: String) async throws {
        #expect(!ServiceLayout.isUsable(name))
    }

    @Test func `wrong words end as usage errors`() async throws {
        #expect(try await home.run("service install junk --root \(root)").code == 78)
        #expect(try await home.run("service install --name a.b \(Sample.token) --root \(root)").code == 2)
        #expect(try await home.run("service install \(Sample.token) --token-file x --root \(root)").code == 2)
        #expect(try await home.run("service").errors.contains("needs a command: install, uninstall"))
        #expect(try await home.run("service uninstall --root \(root)").errors.contains("is not installed"))
        if !FileManager.default.fileExists(atPath: "/run/systemd/system") {
            #expect(try await home.run("service install \(Sample.token)").code == (geteuid() == 0 ? 69 : 1))
        }
    }

    @Test func `a program that the service could not start is refused with the way out`() throws {
        for path in ["/home/u/cloudflared", "/root/cloudflared", "/opt/a%b/cloudflared", "/none/cloudflared"] {
            #expect { try ServiceProgram.checked(path) } throws: { "\($0)".contains("/usr/local/bin/cloudflared") }
        }
        #expect(try ServiceProgram.checked("/usr/bin/env") == "/usr/bin/env")
        #expect(try ServiceProgram.checked("/usr/local/bin/cloudflared", root: root) == "/usr/local/bin/cloudflared")
    }
}
