import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.refine.commands.recon.GuessTypesOfColumnCommand;
import com.google.refine.expr.ExpressionUtils;
import com.google.refine.model.Cell;
import com.google.refine.model.Column;
import com.google.refine.model.Project;
import com.google.refine.model.Recon;
import com.google.refine.model.ReconCandidate;
import com.google.refine.model.ReconType;
import com.google.refine.model.Row;
import com.google.refine.model.recon.ReconJob;
import com.google.refine.model.recon.ReconciledDataExtensionJob;
import com.google.refine.model.recon.StandardReconConfig;
import com.google.refine.util.HttpClient;
import com.google.refine.util.ParsingUtilities;

/**
 * Reconciles a table with OpenRefine's own classes, in the steps in which its dialogs do: guess the types of the first
 * column, match it in batches with the other columns as properties, and fetch properties of what matched.
 *
 * The table comes as JSON on standard input, what OpenRefine made of the answers goes to standard output as JSON. What
 * OpenRefine's page asks by itself, in JavaScript, is asked with OpenRefine's HTTP client.
 */
class OpenRefine {

    /** Its method is for OpenRefine's own package. */
    static class Guess extends GuessTypesOfColumnCommand {
        List<?> types(Project project, Column column, String service) throws Exception {
            return guessTypes(project, column, service);
        }
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode asked = new ObjectMapper().readTree(System.in);
        String service = asked.get("service").asText();
        JsonNode manifest = get(service);
        Project project = project(asked);
        String first = project.columnModel.getColumnNames().get(0);

        Map<String, Object> told = new LinkedHashMap<>();
        told.put("types", new Guess().types(project, project.columnModel.getColumnByName(first), service));

        List<StandardReconConfig.ColumnDetail> details = new ArrayList<>();
        asked.get("properties").fields().forEachRemaining(property -> details.add(new StandardReconConfig.ColumnDetail(
                property.getKey(), property.getValue().asText(), property.getValue().asText(), null)));
        ReconType type = new ReconType(asked.get("type").asText(), asked.get("type").asText());
        StandardReconConfig config = new StandardReconConfig(service, manifest.get("identifierSpace").asText(),
                manifest.get("schemaSpace").asText(), type, true, manifest.get("batchSize").asInt(), details, 0);
        List<ReconJob> jobs = new ArrayList<>();
        for (int n = 0; n < project.rows.size(); n++) {
            Row row = project.rows.get(n);
            if (ExpressionUtils.isNonBlankData(row.getCellValue(0))) {
                jobs.add(config.createJob(project, n, row, first, row.getCell(0)));
            }
        }
        List<Recon> recons = new ArrayList<>();
        for (int n = 0; n < jobs.size(); n += config.getBatchSize(jobs.size())) {
            recons.addAll(config.batchRecon(jobs.subList(n, Math.min(jobs.size(), n + config.getBatchSize(jobs.size()))), 1));
        }
        told.put("recons", recons);

        Set<String> matched = new HashSet<>();
        for (Recon recon : recons) {
            if (recon.match != null) {
                matched.add(recon.match.id);
            }
        }
        ReconciledDataExtensionJob job = new ReconciledDataExtensionJob(
                ReconciledDataExtensionJob.DataExtensionConfig.reconstruct(asked.get("extend").toString()), service);
        Map<String, ReconCandidate> candidates = new LinkedHashMap<>();
        Map<String, Object> extended = new LinkedHashMap<>();
        job.extend(matched, candidates).forEach((id, extension) -> extended.put(id, extension.data));
        told.put("extended", extended);
        List<Object> columns = new ArrayList<>();
        job.columns.forEach(column -> columns.add(List.of(column.id, column.name, column.expectedType == null ? "" : column.expectedType.id)));
        told.put("columns", columns);

        Map<String, JsonNode> suggested = new LinkedHashMap<>();
        for (String kind : List.of("entity", "type", "property")) {
            JsonNode at = manifest.get("suggest").get(kind);
            suggested.put(kind, get(at.get("service_url").asText() + at.get("service_path").asText()
                    + "?type=" + type.id + "&prefix=" + asked.get("prefixes").get(kind).asText()));
        }
        JsonNode proposals = manifest.get("extend").get("propose_properties");
        suggested.put("proposed", get(proposals.get("service_url").asText() + proposals.get("service_path").asText()
                + "?type=" + type.id));
        told.put("suggested", suggested);
        System.out.write(ParsingUtilities.defaultWriter.writeValueAsBytes(told));
        System.out.flush();
        // The threads of its HTTP client would keep the program alive.
        System.exit(0);
    }

    static JsonNode get(String address) throws Exception {
        return ParsingUtilities.mapper.readTree(new HttpClient().getAsString(address, null));
    }

    static Project project(JsonNode asked) throws Exception {
        Project project = new Project();
        for (JsonNode name : asked.get("columns")) {
            int index = project.columnModel.allocateNewCellIndex();
            project.columnModel.addColumn(index, new Column(index, name.asText()), true);
        }
        project.columnModel.update();
        for (JsonNode cells : asked.get("rows")) {
            Row row = new Row(cells.size());
            for (int n = 0; n < cells.size(); n++) {
                JsonNode cell = cells.get(n);
                if (!cell.isNull()) {
                    row.setCell(n, new Cell(cell.isNumber() ? (Serializable) cell.asDouble() : cell.asText(), null));
                }
            }
            project.rows.add(row);
        }
        return project;
    }
}
