import Foundation
import ServiceHost
import TunnelConfig

/// Installs a service so that it is there whole, or not at all. A token that serves is never touched. Lives for one
/// command.
struct ServiceInstaller {
    var layout: ServiceLayout
    var control: SystemControl
    /// What a unit starts that is not a package's.
    var program: String
    var print: @Sendable (String) -> Void
    /// Whether systemd runs the system that this is about.
    var isLive: Bool
    /// Whether it starts now.
    var isStarted = true

    init(
        layout: ServiceLayout, control: SystemControl, program: String, print: @escaping @Sendable (String) -> Void
    ) {
        self.layout = layout
        self.control = control
        self.program = program
        self.print = print
        isLive = layout.root.isEmpty
    }

    /// What is to be written, decided before anything is.
    struct Plan: Equatable {
        /// Nil when the file is right as it is.
        var token: String?
        var configuration: String?
        var unit: String?
        /// The official client's files, which make room.
        var setAside: [String] = []

        var isNothing: Bool { token == nil && configuration == nil && unit == nil && setAside.isEmpty }
    }

    func install(_ source: ServiceSource) async throws {
        let plan = try plan(source)
        // A service of the official client that runs goes on with what it was started with until it is started again.
        let wasActive =
            isLive ? try await control.run(["is-active", "--quiet", layout.unit]).isSuccess : false
        let wasEnabled = try await control.run(["is-enabled", "--quiet", layout.unit]).isSuccess
        var files = FileTransaction()
        do {
            try carryOut(plan, &files)
            if isLive { try await control.perform("daemon-reload") }
            try await control.perform("enable", layout.unit)
        } catch {
            let stuck = files.rollBack()
            if isLive { _ = try? await control.run(["daemon-reload"]) }
            if !wasEnabled { _ = try? await control.run(["disable", layout.unit]) }
            let rest = stuck.isEmpty ? "everything is as before" : "look after \(stuck.joined(separator: ", "))"
            throw CommandError(.failure, "the service is not installed, and \(rest): \(error)")
        }
        files.commit()
        if let copied = source.configuration, plan.configuration != nil {
            print("Copied \(copied.path) to \(layout.configurationPath); change it there from now on.")
        }
        print(
            plan.isNothing
                ? "\(layout.unit) was installed already."
                : "Installed \(layout.unit) for the tunnel \(source.credentials.tunnelID.lowercased).")
        guard isStarted else {
            print("It starts with the host, or by: systemctl start \(layout.unit)")
            return
        }
        try await start(again: wasActive && !plan.isNothing)
    }

    /// - Parameter again: whether what runs does so with files that have changed.
    private func start(again: Bool) async throws(CommandError) {
        let answer = try await control.run([again ? "restart" : "start", layout.unit])
        switch answer.status {
        case 0: print("It runs. Its log: journalctl -u \(layout.unit)")
        case nil: print("It has not reached its edge yet and goes on trying: systemctl status \(layout.unit)")
        default:
            // The token and the unit stay: nothing is wrong with them because the edge does not answer today.
            throw CommandError(
                .unavailable,
                "\(layout.unit) is installed and did not start; see journalctl -u \(layout.unit), then: "
                    + "systemctl start \(layout.unit)")
        }
    }

    // MARK: What to do

    func plan(_ source: ServiceSource) throws -> Plan {
        var plan = Plan()
        try decideUnit(&plan, source)
        try decideToken(&plan, source)
        try decideConfiguration(&plan, source)
        return plan
    }

    private func decideUnit(_ plan: inout Plan, _ source: ServiceSource) throws {
        if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: layout.unitPath) {
            throw CommandError(
                .failure,
                target == "/dev/null"
                    ? "\(layout.unitFile) is masked; run: systemctl unmask \(layout.unitFile)"
                    : "\(layout.unitPath) is a link to \(OutputText.safe(target)); remove it first")
        }
        let isWritten = FileManager.default.fileExists(atPath: layout.unitPath)
        if isWritten {
            let text = try SmallFile.read(layout.unitPath, limit: 1 << 20).text
            switch ServiceUnit.owner(of: text) {
            case .this: break
            case .somebody:
                throw CommandError(
                    .failure, "\(layout.unitPath) is of somebody else and stays; remove it first, or use --name")
            case .official(let token):
                try refuseOther(token, source)
                plan.setAside.append(layout.unitPath)
            }
        }
        if layout.name == nil {
            plan.setAside += layout.updaterPaths.filter { FileManager.default.fileExists(atPath: $0) }
        }
        // With the package's unit there is nothing to write; one of ours that overrules it stays as it is.
        if layout.packagedUnitPath != nil { return }
        let unit = ServiceUnit.text(
            program: try ServiceProgram.checked(program, root: layout.root), isTemplate: layout.name != nil)
        let present = isWritten ? try SmallFile.read(layout.unitPath, limit: 1 << 20).text : nil
        if present != unit { plan.unit = unit }
    }

    /// A service of the official client for another tunnel is not replaced by accident.
    private func refuseOther(_ token: ServiceUnit.OfficialToken, _ source: ServiceSource) throws {
        let found: TunnelCredentials?
        switch token {
        case .inline(let text): found = try? TunnelToken.parse(text)
        // Read again where the token is decided, with the remedy.
        case .file(let path) where layout.root + path == layout.tokenPath: found = nil
        case .file(let path):
            found = (try? FileSecret(path: layout.root + path)).flatMap { try? TunnelToken.parse($0.secret.exposed) }
        case .none: found = nil
        }
        guard let found, found != source.credentials else { return }
        throw otherTunnel(found, layout.unitPath)
    }

    private func decideToken(_ plan: inout Plan, _ source: ServiceSource) throws {
        if FileManager.default.fileExists(atPath: layout.tokenPath) {
            let present = try SmallFile.read(layout.tokenPath, limit: Secret.maximumFileSize)
            if let found = try? TunnelToken.parse(present.text) {
                guard found == source.credentials else { throw otherTunnel(found, layout.tokenPath) }
                // Nobody but root may ever have been able to read it.
                if present.mode & 0o077 == 0 { return }
            } else {
                plan.setAside.append(layout.tokenPath)
            }
        }
        plan.token = TunnelToken.encode(source.credentials) + "\n"
    }

    private func otherTunnel(_ found: TunnelCredentials, _ path: String) -> CommandError {
        let name = layout.name.map { " --name \($0)" } ?? ""
        return CommandError(
            .failure,
            "\(layout.unit) is installed already with the token of the tunnel \(found.tunnelID.lowercased) (\(path)), "
                + "which stays; run 'cloudflared service uninstall\(name)' first, or give the new one another --name")
    }

    private func decideConfiguration(_ plan: inout Plan, _ source: ServiceSource) throws {
        let path = layout.configurationPath
        let isThere = FileManager.default.fileExists(atPath: path)
        guard let wanted = source.configuration else {
            // The unit of an instance names its file, so that it never takes that of another tunnel.
            if layout.name != nil, !isThere {
                plan.configuration = ServiceUnit.mark + ": settings of this tunnel\nno-autoupdate: true\n"
            }
            return
        }
        guard wanted.path != path else { return }
        let text = "\(ServiceUnit.mark), from \(OutputText.safe(wanted.path))\n\(wanted.text)"
        guard isThere else {
            plan.configuration = text
            return
        }
        let present = try SmallFile.read(path, limit: ConfigurationFile.maximumSize).text
        guard present != wanted.text, Self.withoutMark(present) != wanted.text else { return }
        throw CommandError(
            .failure,
            "\(path) is there already and differs from \(wanted.path); compare them, then remove one, or install from "
                + "the first: cloudflared --config \(path) service install")
    }

    private static func withoutMark(_ text: String) -> String {
        guard text.hasPrefix(ServiceUnit.mark), let end = text.firstIndex(of: "\n") else { return text }
        return String(text[text.index(after: end)...])
    }

    // MARK: Doing it

    private func carryOut(_ plan: Plan, _ files: inout FileTransaction) throws(CommandError) {
        try files.makeDirectory(layout.directory)
        for path in plan.setAside {
            print("Kept \(path) as \(try files.setAside(path)).")
        }
        if let token = plan.token { try files.write(token, to: layout.tokenPath, mode: 0o600) }
        if let text = plan.configuration { try files.write(text, to: layout.configurationPath, mode: 0o644) }
        if let unit = plan.unit {
            try files.makeDirectory(layout.unitDirectory)
            try files.write(unit, to: layout.unitPath, mode: 0o644)
        }
    }
}
