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
        // First the service: as long as it runs, nothing of it is taken away.
        if isKnown {
            if isLive {
                try await control.perform("disable", "--now", layout.unit)
            } else {
                try await control.perform("disable", layout.unit)
            }
        }
        var files = FileTransaction()
        do {
            for path in removable { try files.remove(path) }
            if isLive { try await control.perform("daemon-reload") }
        } catch {
            let stuck = files.rollBack()
            let rest = stuck.isEmpty ? "its files are as before" : "look after \(stuck.joined(separator: ", "))"
            throw CommandError(.failure, "\(layout.unit) is stopped and not removed, and \(rest): \(error)")
        }
        files.commit()
        if purge || layout.name != nil { removeIfEmpty(layout.directory) }
        if purge { removeIfEmpty(layout.sharedDirectory) }
        print("Removed \(layout.unit) and its token.")
        if FileManager.default.fileExists(atPath: layout.configurationPath) {
            print("\(layout.configurationPath) stays; --purge removes it too.")
        }
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
