import Foundation
import ServiceHost

/// Removes a service with what installing it wrote. Lives for one command.
struct ServiceUninstaller {
    var layout: ServiceLayout
    var control: SystemControl
    var print: @Sendable (String) -> Void
    /// Whether systemd runs the system that this is about.
    var isLive: Bool

    init(layout: ServiceLayout, control: SystemControl, print: @escaping @Sendable (String) -> Void) {
        self.layout = layout
        self.control = control
        self.print = print
        isLive = layout.root.isEmpty
    }

    func uninstall(purge: Bool) async throws {
        let removable = try removableFiles(purge: purge)
        let before = try await state()
        var files = FileTransaction()
        do {
            // First the service: as long as it runs, nothing of it is taken away.
            if isKnown {
                if isLive {
                    try await control.perform("disable", "--now", layout.unit)
                } else {
                    try await control.perform("disable", layout.unit)
                }
            }
            for path in removable { try files.remove(path) }
            if isLive { try await control.perform("daemon-reload") }
        } catch {
            let stuck = files.rollBack() + (await restore(before))
            let rest = stuck.isEmpty ? "everything is as before" : "look after \(stuck.joined(separator: ", "))"
            throw CommandError(.failure, "\(layout.unit) is not removed, and \(rest): \(error)")
        }
        files.commit()
        if purge || layout.name != nil { removeIfEmpty(layout.directory) }
        if purge { removeIfEmpty(layout.sharedDirectory) }
        print("Removed \(layout.unit) and its token.")
        if FileManager.default.fileExists(atPath: layout.configurationPath) {
            print("\(layout.configurationPath) stays; --purge removes it too.")
        }
    }

    private func state() async throws(CommandError) -> (isEnabled: Bool, isActive: Bool) {
        guard isKnown else { return (false, false) }
        return (
            try await control.run(["is-enabled", "--quiet", layout.unit]).isSuccess,
            isLive ? try await control.run(["is-active", "--quiet", layout.unit]).isSuccess : false
        )
    }

    /// After the files are back: what ran runs, and starts with the host as before.
    ///
    /// - Returns: what could not be had.
    private func restore(_ before: (isEnabled: Bool, isActive: Bool)) async -> [String] {
        func isDone(_ words: String...) async -> Bool { (try? await control.run(words).isSuccess) ?? false }
        if isLive { _ = await isDone("daemon-reload") }
        var missing: [String] = []
        if before.isEnabled, !(await isDone("enable", layout.unit)) {
            missing.append("systemctl enable \(layout.unit)")
        }
        if before.isActive, !(await isDone("start", layout.unit)) { missing.append("systemctl start \(layout.unit)") }
        return missing
    }

    private func removableFiles(purge: Bool) throws -> [String] {
        var paths: [String] = []
        let exists = FileManager.default.fileExists(atPath:)
        if exists(layout.unitPath) {
            switch ServiceUnit.owner(of: try SmallFile.read(layout.unitPath, limit: 1 << 20).text) {
            case .this: if !isTemplateInUse { paths.append(layout.unitPath) }
            case .official: paths += [layout.unitPath] + layout.updaterPaths.filter(exists)
            case .somebody:
                throw CommandError(.failure, "\(layout.unitPath) is of somebody else and stays; remove it yourself")
            }
        }
        if exists(layout.tokenPath) { paths.append(layout.tokenPath) }
        if purge, exists(layout.configurationPath) { paths.append(layout.configurationPath) }
        guard !paths.isEmpty else { throw CommandError(.failure, "\(layout.unit) is not installed") }
        return paths
    }

    /// Whether other instances need the file that defines all of them.
    private var isTemplateInUse: Bool {
        guard let name = layout.name else { return false }
        let others = (try? FileManager.default.contentsOfDirectory(atPath: layout.sharedDirectory)) ?? []
        return others.contains {
            $0 != name && FileManager.default.fileExists(atPath: "\(layout.sharedDirectory)/\($0)/token")
        }
    }

    /// Whether there is a unit at all that could run: a token alone may be left of one.
    private var isKnown: Bool {
        FileManager.default.fileExists(atPath: layout.unitPath) || layout.packagedUnitPath != nil
    }

    private func removeIfEmpty(_ directory: String) {
        let content = try? FileManager.default.contentsOfDirectory(atPath: directory)
        if content?.isEmpty ?? false { try? FileManager.default.removeItem(atPath: directory) }
    }
}
